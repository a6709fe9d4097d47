// A job that runs, seen from here: its log as it grows, its end, and what is rescued when something goes wrong.
import { parseStop } from '../agent/parse.ts';
import { renderStop } from '../agent/render.ts';
import { RunctlError } from '../core/errors.ts';
import type { JobStatus } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import { rememberCheckpoints } from './cost/checkpoint-mark.ts';
import { type Outputs, collectOutputs, describeOutputs } from './collect.ts';
import { createHeartbeat } from './heartbeat.ts';
import { LineCutter } from './lines.ts';
import { isGone, machineLost } from './lost.ts';
import type { Story } from './steps.ts';
import { isOver, watchJob } from './watch.ts';

/** Step `train`: log lines as they happen, until the exit record. */
export async function followJob(app: App, provider: Provider, story: Story, machine: Machine, shell: Shell, timeoutMs: number | undefined): Promise<JobStatus> {
  return story.step(
    'train',
    'train',
    async (say) => {
      const cutter = new LineCutter();
      const heartbeat = createHeartbeat(app, machine);
      const remember = rememberCheckpoints(app, story.runId);
      say(heartbeat.now);
      const tell = (text: string): void => {
        app.report({ kind: 'log.line', text });
        heartbeat.line(text);
      };
      let last: JobStatus | undefined;
      const options = { runId: story.runId, offset: 0, follow: true, timeoutMs, onTrouble: heartbeat.trouble, onRelief: heartbeat.relief };
      for await (const chunk of watchJob(app, provider, machine, shell, options)) {
        cutter.lines(chunk.bytes).forEach(tell);
        heartbeat.answered(chunk.status);
        await remember(chunk.status);
        last = chunk.status;
      }
      cutter.rest().forEach(tell);
      if (!last || !isOver(last)) throw new Error('the watch ended before the job');
      await requireMachine(app, provider, machine, story.runId, last);
      return last;
    },
    (status) => (status.exitCode === undefined ? status.phase : `${status.phase}, exit code ${status.exitCode}`),
    (status) => status.phase !== 'succeeded',
  );
}

/** A machine that shuts down ends its job first: what looks like a job that was killed is a machine that is lost. */
async function requireMachine(app: App, provider: Provider, machine: Machine, runId: string, status: JobStatus): Promise<void> {
  if (status.phase !== 'lost' && (status.exitCode ?? 0) <= 128) return;
  const now = await provider.find(machine.id, app.signal).catch((error: unknown) => {
    // Then the job's own record is all that is known, and it is enough.
    if (app.signal.aborted || !(error instanceof RunctlError)) throw error;
    return machine;
  });
  if (isGone(now)) throw machineLost(machine, now, runId);
}

/** Steps `stop-job` and `rescue` after something went wrong: what can be saved is saved, what cannot is told. Works after
 *  Ctrl-C, which aborted everything that hangs on the app's signal; a second Ctrl-C ends the process. */
export async function rescue(broken: App, story: Story, shell: Shell, { stop }: { stop: boolean }): Promise<Outputs | undefined> {
  const app: App = { ...broken, signal: new AbortController().signal };
  const tolerate = (what: string) => (failure: unknown): undefined => {
    app.report({ kind: 'note', level: 'warning', text: `${what}: ${failure instanceof Error ? failure.message : String(failure)}` });
    return undefined;
  };
  if (stop) {
    const answered = await stopJob(app, story, shell).then(() => true, (error: unknown) => {
      tolerate('the job could not be stopped in order')(error);
      return !(error instanceof RunctlError && error.retryable);
    });
    // Who does not answer that does not answer the next question either.
    if (!answered) return undefined;
  }
  return story.step('rescue', 'rescue results', () => collectOutputs(app, shell, story.runId), describeOutputs).catch(tolerate('results could not be fetched'));
}

/** SIGTERM and time to save a checkpoint, then SIGKILL. */
async function stopJob(app: App, story: Story, shell: Shell): Promise<void> {
  const graceS = app.config.train.stop_grace_seconds;
  await story.step('stop-job', 'stop training', async () => parseStop(await shell.run(renderStop(story.runId, graceS), { timeoutMs: (graceS + 30) * 1000, answerWithinMs: (graceS + 60) * 1000 })), (outcome) => ({ term: 'ended on SIGTERM', kill: `killed after ${graceS} s`, none: 'had ended already' })[outcome.stopped]);
}
