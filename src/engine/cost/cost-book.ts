// The book of costs: every machine that runctl made, with what it was used for and at which prices. The ledger is read first; the
// cloud is asked only about what the ledger believes to be still there.
import { RunctlError } from '../../core/errors.ts';
import { isOurs, ownerOf } from '../../core/ownership.ts';
import type { Provider } from '../../core/ports.ts';
import type { MachineUsage } from '../../core/usage.ts';
import type { Ledger, MachineRecord } from '../../ledger/ledger.ts';
import type { App } from '../app.ts';
import { pricedAll } from './rates.ts';
import { ownerName } from '../resources/owner.ts';

/** A machine with all prices that could be had. */
export type Entry = MachineRecord & { usage: MachineUsage };

export interface Book {
  entries: Entry[];
  /** Why the cloud could not be asked: what is open was reckoned from memory. */
  notAsked?: string;
}

export interface BookRequest {
  project?: string;
  /** Leave out what had gone before, epoch ms. */
  sinceMs?: number;
  /** Memory only: for a quick look before something else. */
  askCloud?: boolean;
}

/** EC2 may deny for a moment what it just made. */
const CONSISTENT_AFTER_MS = 90_000;

export async function costBook(app: App, provider: Provider, { project, sinceMs, askCloud = true }: BookRequest): Promise<Book> {
  const ledger = await app.ledger();
  const pretend = provider.pretend ?? false;
  const notAsked = askCloud ? await catchUp(app, provider, ledger, pretend) : undefined;
  const records = ledger.machines({ pretend, project, sinceMs }).filter((record) => record.provider === provider.name);
  const usages = await pricedAll(app, provider, records).catch((error: unknown) => {
    if (app.signal.aborted || !(error instanceof RunctlError)) throw error;
    return records.map((record) => record.usage);
  });
  return { entries: records.map((record, n) => ({ ...record, usage: usages[n] as MachineUsage })), notAsked };
}

/** What the ledger believes to be there, as the cloud knows it now; and machines of this owner that it has never heard of, such as
 *  those made by another computer. Answers why that could not be done. */
async function catchUp(app: App, provider: Provider, ledger: Ledger, pretend: boolean): Promise<string | undefined> {
  if (!provider.usage || !provider.sightings) return undefined;
  try {
    const alive = ledger.machines({ pretend, alive: true }).filter((record) => record.provider === provider.name);
    const regions = new Set(alive.map((record) => record.region));
    await Promise.all([adopt(app, provider, ledger, pretend), ...[...regions].map((region) => look(app, provider, ledger, region, alive.filter((record) => record.region === region)))]);
    return undefined;
  } catch (error) {
    if (app.signal.aborted || !(error instanceof RunctlError)) throw error;
    return error.message;
  }
}

async function look(app: App, provider: Provider, ledger: Ledger, region: string, records: MachineRecord[]): Promise<void> {
  const found = await provider.sightings?.({ ids: records.map((record) => record.id), region }, app.signal);
  const byId = new Map(found?.map((machine) => [machine.id, machine]));
  const nowMs = app.clock.now();
  for (const { id, pretend, seenAt } of records) {
    const machine = byId.get(id);
    if (machine) ledger.noteMachine({ machine, pretend, usage: await provider.usage?.(machine, { disks: !ledger.hasDisks(id) }, app.signal), nowMs });
    else if (nowMs - seenAt > CONSISTENT_AFTER_MS) ledger.noteGone(id, nowMs);
  }
}

async function adopt(app: App, provider: Provider, ledger: Ledger, pretend: boolean): Promise<void> {
  const owner = ownerName(app);
  for (const machine of await provider.list(app.signal)) {
    if (!isOurs(machine.tags) || ownerOf(machine.tags) !== owner || ledger.findMachine(machine.id)) continue;
    ledger.noteMachine({ machine, pretend, usage: await provider.usage?.(machine, { disks: true }, app.signal), nowMs: app.clock.now() });
  }
}
