// When the newest checkpoint of a job was saved, remembered as it is heard: what a lost machine takes with it counts from there.
import type { JobStatus } from '../../core/job.ts';
import type { App } from '../app.ts';

/** A listener to what the agent says of a job. Never throws: the memory is for the books, not for the training. */
export function rememberCheckpoints(app: App, runId: string): (status: JobStatus) => Promise<void> {
  let known: number | undefined;
  return async ({ checkpointAt, nowAt }) => {
    if (checkpointAt === undefined || nowAt === undefined || checkpointAt === known) return;
    known = checkpointAt;
    try {
      // The machine's clock is not ours: its age is the same on both.
      (await app.ledger()).mark(runId, 'checkpoint', app.clock.now() - Math.max(0, nowAt - checkpointAt));
    } catch {
      // More than it should be is then counted as lost, should the machine be.
    }
  };
}
