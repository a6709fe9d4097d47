// A spot machine that its provider took back in the middle of the work: said as such, with what it cost and how to go on.
import { durationText } from '../../core/durations.ts';
import { RunctlError } from '../../core/errors.ts';
import type { Machine } from '../../core/machine.ts';
import type { Provider } from '../../core/ports.ts';
import type { App } from '../app.ts';
import { type Payment, settleCost } from '../cost/money.ts';

const FREE_MS = 3_600_000;

/** The error of a run whose machine is gone, or a better one when its provider took it back. Never throws. */
export async function explainTakenBack(app: App, provider: Provider, machine: Machine, runId: string, error: unknown): Promise<unknown> {
  if (!(error instanceof RunctlError) || error.code !== 'machine-lost' || machine.market !== 'spot') return error;
  try {
    const now = await provider.find(machine.id, new AbortController().signal);
    if (!now?.interrupted) return error;
    const paid = (await app.ledger()).costsOf(runId).findLast((cost) => cost.machineId === machine.id)?.costMicroUsd;
    const ranMs = now.endedAt !== undefined && now.launchedAt !== undefined ? now.endedAt - now.launchedAt : undefined;
    const saved = error.data?.['outputs'] === undefined ? ' What had not been fetched by then is gone with its disk.' : '';
    return new RunctlError('machine-lost', `spot machine ${machine.id} was taken back by the cloud${ranMs === undefined ? '' : ` after ${durationText(ranMs)}`}`, {
      cause: [
        `${now.stateReason ? `The cloud says: ${now.stateReason}` : 'The cloud gives no reason'}.${saved}`,
        paid === undefined ? 'What it cost is not known.' : `It has cost $${(paid / 1_000_000).toFixed(6)}${ranMs !== undefined && ranMs < FREE_MS ? '; compute of a machine that is taken back within its first hour costs nothing' : ''}.`,
      ].join('\n'),
      // Whole commands: the one that was typed, once more.
      hints: [...new Set(['--spot', '--on-demand', ...error.hints.filter((hint) => !hint.includes(machine.id) && !hint.startsWith(`runctl ${machine.provider} create`))])],
      step: error.step,
      data: { ...ownData(error), machine: machine.id, state: now.state, interrupted: true, market: 'spot', ...(paid === undefined ? {} : { costUsd: paid / 1_000_000 }) },
      source: error.source ?? error,
    });
  } catch {
    return error;
  }
}

/** What a machine that its provider took back before anybody could use it has cost: said and remembered. Never throws. */
export async function settleTakenBack(app: App, provider: Provider, runId: string, payment: Payment, error: unknown): Promise<void> {
  if (!(error instanceof RunctlError) || error.code !== 'machine-lost' || payment.machine.market !== 'spot') return;
  const now = await provider.find(payment.machine.id, new AbortController().signal).catch(() => undefined);
  if (now?.interrupted) await settleCost(app, provider, runId, { ...payment, machine: now });
}

/** Without the words of whatever service noticed it first: its page is no help with a machine that is gone. */
function ownData({ data }: RunctlError): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data ?? {}).filter(([name]) => name !== 'awsCode' && name !== 'awsMessage' && name !== 'docs'));
}
