// The book of costs: every machine that runctl made, with what it was used for and at which prices. The ledger is read first; the
// cloud is asked only about what the ledger believes to be still there.
import { RunctlError } from '../../core/errors.ts';
import type { Machine } from '../../core/machine.ts';
import { isOurs, ownerOf } from '../../core/ownership.ts';
import type { Provider } from '../../core/ports.ts';
import type { MachineUsage } from '../../core/usage.ts';
import type { Ledger, MachineRecord } from '../../ledger/ledger.ts';
import type { App } from '../app.ts';
import { hasUnseenStarts } from '../../cost/charges.ts';
import { boundByLease } from './lease-bound.ts';
import { pricedAll } from './rates.ts';
import { ownerName } from '../resources/owner.ts';
import { inBatches } from '../resources/parallel.ts';

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
  /** Where else to look for machines of this owner; absent: the configured region. Whatever the ledger knows is asked for where it is. */
  regions?: string[] | 'all';
  /** Memory only: for a quick look before something else. */
  askCloud?: boolean;
}

/** EC2 may deny for a moment what it just made. */
const CONSISTENT_AFTER_MS = 90_000;

export async function costBook(app: App, provider: Provider, { project, sinceMs, regions, askCloud = true }: BookRequest): Promise<Book> {
  const ledger = await app.ledger();
  const pretend = provider.pretend ?? false;
  const notAsked = askCloud ? await catchUp(app, provider, ledger, pretend, regions) : undefined;
  const records = ledger.machines({ pretend, project, sinceMs }).filter((record) => record.provider === provider.name).map((record) => ({ ...record, usage: boundByLease(ledger, record.usage, record.lease) }));
  const usages = await pricedAll(app, provider, records).catch((error: unknown) => {
    if (app.signal.aborted || !(error instanceof RunctlError)) throw error;
    return records.map((record) => record.usage);
  });
  return { entries: records.map((record, n) => ({ ...record, usage: marked(record, usages[n] as MachineUsage) })), notAsked };
}

/** A machine that another computer started, stopped and started again, or one from before this ledger. */
function marked({ firstSeenAt }: MachineRecord, usage: MachineUsage): MachineUsage {
  return hasUnseenStarts(firstSeenAt, usage.runs) ? { ...usage, unseen: true } : usage;
}

/** What the ledger believes to be there, as the cloud knows it now; and machines of this owner that it has never heard of, such as
 *  those made by another computer. Answers why that could not be done. */
async function catchUp(app: App, provider: Provider, ledger: Ledger, pretend: boolean, where: BookRequest['regions']): Promise<string | undefined> {
  if (!provider.usage || !provider.sightings) return undefined;
  try {
    const alive = ledger.machines({ pretend, alive: true }).filter((record) => record.provider === provider.name);
    const regions = new Set(alive.map((record) => record.region));
    const [notAsked] = await Promise.all([adopt(app, provider, ledger, pretend, where), ...[...regions].map((region) => look(app, provider, ledger, region, alive.filter((record) => record.region === region)))]);
    return notAsked;
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

const AT_ONCE = 8;

/** Answers which region could not be asked, and why. */
async function adopt(app: App, provider: Provider, ledger: Ledger, pretend: boolean, regions: BookRequest['regions']): Promise<string | undefined> {
  const owner = ownerName(app);
  const found: Machine[] = [];
  const end = regions && (await provider.inventory?.({ regions, kinds: ['machine'], owner }, (item) => item.kind === 'machine' && found.push(item.machine), app.signal));
  if (!end) found.push(...(await provider.list(app.signal)));
  await inBatches(found, AT_ONCE, async (machine) => {
    if (!isOurs(machine.tags) || ownerOf(machine.tags) !== owner || ledger.findMachine(machine.id)) return;
    ledger.noteMachine({ machine, pretend, usage: await provider.usage?.(machine, { disks: true }, app.signal), nowMs: app.clock.now() });
  });
  return end?.failed.map(({ region, reason }) => `${region}: ${reason}`)[0];
}
