// The end by Ctrl-C: what goes on without the command, what it costs, how to come back.
import { RunctlError } from '../core/errors.ts';
import type { HourlyPrice, Machine } from '../core/machine.ts';
import type { Provider } from '../core/ports.ts';
import { describeStake } from '../core/stake.ts';
import type { App } from './app.ts';
import { hourlyText } from './cost/money.ts';

/** The error that a story ends in: after Ctrl-C the interruption with all that is at stake, otherwise the error itself. */
export function interruption(app: App, error: unknown): unknown {
  const reason: unknown = app.signal.aborted ? app.signal.reason : undefined;
  if (!(reason instanceof RunctlError) || reason.code !== 'interrupted' || !causedBy(error, reason)) return error;
  const known = error instanceof RunctlError ? error : reason;
  if (known !== reason && known.reason !== undefined) return known;
  const { facts, hints } = app.stake ? describeStake(app.stake) : { facts: [], hints: [] };
  const left = facts.length > 0 || !app.stake ? facts : ['Nothing is left running.'];
  return new RunctlError('interrupted', reason.message, {
    cause: left.join(' ') || undefined,
    hints,
    step: known.step,
    data: { ...known.data, ...(app.stake?.machineId ? { machine: app.stake.machineId } : {}) },
    source: error,
  });
}

/** What an aborted pipe, process or request throws by itself is the interruption too. */
function causedBy(error: unknown, reason: RunctlError): boolean {
  if (error === reason || (error instanceof RunctlError && error.code === 'interrupted')) return true;
  return error instanceof Error && (error.name === 'AbortError' || (error as NodeJS.ErrnoException).code === 'ABORT_ERR');
}

/** From here on this machine is what the command is about. Its price is looked up meanwhile: whoever interrupts will want it.
 *  Never rejects: who cannot be told a price is told none. */
export async function atStake(app: App, provider: Provider, machine: Machine, verb?: string): Promise<HourlyPrice | undefined> {
  const { stake } = app;
  if (stake) Object.assign(stake, { provider: provider.name, machineId: machine.id, market: machine.market, ...(verb ? { verb } : {}) });
  try {
    const price = await provider.price(machine, app.signal);
    if (stake?.machineId === machine.id) stake.price ??= hourlyText(price);
    return price;
  } catch {
    return undefined;
  }
}
