// What runctl sim clock asks for: how the world's time runs, another rate, a skip, and what happened to machines on the way.
import { RunctlError } from '../core/errors.ts';
import { ec2Tables } from './aws/ec2/rows.ts';
import type { WorldClock } from './clock.ts';
import type { Cloud } from './cloud.ts';

/** Beyond this, a request takes days of the world. */
const MOST_RATE = 10_000;
const LONGEST_SKIP_MS = 366 * 86_400_000;

interface Change {
  instanceId: string;
  from: string;
  to: string;
  /** As StateReason has it; absent where EC2 gives none. */
  why?: string;
}

export async function clockAction({ cloud, clock }: { cloud: Cloud; clock: WorldClock }, body: unknown): Promise<object> {
  const { rate, skipMs } = body as { rate?: unknown; skipMs?: unknown };
  if (rate !== undefined && !isWithin(rate, 1, MOST_RATE)) {
    throw new RunctlError('usage', `the rate of the clock is 1 to ${MOST_RATE} (world seconds in a real one), not ${JSON.stringify(rate)}`, { hints: ['runctl sim clock --rate 60'] });
  }
  if (skipMs !== undefined && !isWithin(skipMs, 1, LONGEST_SKIP_MS)) {
    throw new RunctlError('usage', `the clock skips up to 366 days ahead, never back, not ${JSON.stringify(skipMs)} ms`, { hints: ['runctl sim clock skip 2h'] });
  }
  const states = (): Map<string, { state: string; why?: string }> =>
    new Map(ec2Tables(cloud.world).instances.values().map((row) => [row.instanceId, { state: row.state, why: row.stateReason?.code }]));
  const before = states();
  if (rate !== undefined) clock.setRate(rate as number);
  if (skipMs !== undefined) await clock.skip(skipMs as number);
  const changes: Change[] = [...states()].flatMap(([instanceId, { state, why }]) => {
    const from = before.get(instanceId)?.state ?? 'none';
    return from === state ? [] : [{ instanceId, from, to: state, ...(why === undefined ? {} : { why }) }];
  });
  const { nowMs, ...reading } = clock.read();
  return { worldTime: new Date(nowMs).toISOString(), ...reading, ...(skipMs === undefined ? {} : { skippedMs: skipMs, changes }) };
}

function isWithin(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most;
}
