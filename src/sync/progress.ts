// How far bytes have come, told often enough to be seen moving and seldom enough to be read.
import type { Clock } from '../core/clock.ts';
import type { Event, Report } from '../core/events.ts';

export type Stage = NonNullable<Extract<Event, { kind: 'transfer.moved' }>['stage']>;

const EVERY_MS = 200;

/** Tells of `doneBytes` of `totalBytes` at most five times a second; the first and the last always, and none twice. */
export function progress({ report, clock, step }: { report: Report; clock: Clock; step: string }, stage: Stage | undefined, totalBytes: number): (doneBytes: number) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  let told = -1;
  return (doneBytes) => {
    const now = clock.monotonic();
    if (doneBytes === told || (doneBytes < totalBytes && now - toldAt < EVERY_MS)) return;
    toldAt = now;
    told = doneBytes;
    report({ kind: 'transfer.moved', step, ...(stage ? { stage } : {}), doneBytes, totalBytes });
  };
}
