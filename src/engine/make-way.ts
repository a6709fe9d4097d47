// Before a machine is stopped or terminated: who is on it is asked or told, jobs get time to save, results come home. A stopped
// machine keeps its disk, so its results stay where they are; of a terminated one nothing is left.
import { type StopOutcome, parseStop } from '../agent/parse.ts';
import { renderStop } from '../agent/render.ts';
import { RunctlError } from '../core/errors.ts';
import type { KnownJob } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import { collectOutputs, describeOutputs } from './collect.ts';
import { type OtherRun, isFetched, otherRuns, rememberedUnfetched, seeJobs, withLimit } from './in-use.ts';
import type { Story } from './steps.ts';

export interface MakeWay {
  /** How long a job has after SIGTERM. */
  graceS: number;
  /** Bring home what is not here yet before the disk goes. */
  fetch: boolean;
}

export interface WayMade {
  /** Runs whose jobs were ended. */
  stopped: string[];
  /** Directories of results that were fetched. */
  outputs: string[];
}

/** Longest that results may take to come home before somebody decides. */
const FETCH_MS = 15 * 60_000;

/** Steps `jobs`, `stop-job`, `fetch`. Throws `declined` when somebody, or nobody, says no. */
export async function makeWay(app: App, provider: Provider, story: Story, verb: 'stop' | 'terminate', machine: Machine, how: MakeWay): Promise<WayMade> {
  const ask = questioner(app, provider, verb, machine);
  const others = await otherRuns(app, machine.id, story.runId);
  let shell: Shell | undefined;
  const seen = await story.step(
    'jobs',
    'look for training',
    // The shell is a live thing and stays out of the ledger's record of the step.
    () => seeJobs(app, provider, machine).then(({ shell: hands, ...said }) => ((shell = hands), said)),
    ({ jobs, why }) => (jobs ? jobs.filter(isLive).map(({ runId }) => `${runId} runs`).join(', ') || 'none runs' : `no answer: ${why ?? 'no reason is known'}`),
  );
  const live = (seen.jobs ?? []).filter(isLive);
  // Whoever only watches a job is told by the job's end; a job that is stopped in order on a disk that stays loses nothing.
  const busy = others.filter((run) => run.step !== 'train' || !live.some((job) => job.runId === run.runId));
  const inUse = [...busy.map(describeOther), ...(verb === 'terminate' ? live.map(describeJob) : [])];
  if (inUse.length > 0) {
    const jobs = live.length === 0 ? '' : how.fetch ? 'End the training, fetch its results and terminate' : 'End the training, leave its results behind and terminate';
    const plan = verb === 'stop' ? 'Stop' : jobs || 'Terminate';
    await ask(`${machine.id} is in use: ${inUse.join('; ')}. ${plan} the machine?`);
  }
  const made: WayMade = { stopped: [], outputs: [] };
  if (shell && live.length > 0) {
    for (const job of live) await stopJob(app, story, shell, job.runId, how.graceS).then(() => made.stopped.push(job.runId), tolerate(app, `${job.runId} could not be ended in order`));
  }
  if (verb === 'stop') return made;
  if (seen.jobs && shell) {
    if (how.fetch) made.outputs = await fetchAll(app, story, shell, seen.jobs, ask);
  } else {
    await consentToLoss(app, machine.id, seen.why ?? 'no reason is known', seen.wasOnline, ask);
  }
  return made;
}

/** Step `stop-job`: SIGTERM, time to save, SIGKILL. */
export async function stopJob(app: App, story: Story, shell: Shell, runId: string, graceS: number): Promise<StopOutcome> {
  return story.step(
    'stop-job',
    `end ${runId}`,
    async () => parseStop(await shell.run(renderStop(runId, graceS), { timeoutMs: (graceS + 30) * 1000, signal: app.signal })),
    ({ stopped, status }) => ({ term: `ended on SIGTERM, exit code ${status.exitCode ?? 'unknown'}`, kill: `killed after ${graceS} s`, none: 'had ended already' })[stopped],
  );
}

type Consent = (question: string) => Promise<void>;

async function fetchAll(app: App, story: Story, shell: Shell, jobs: KnownJob[], ask: Consent): Promise<string[]> {
  const ledger = await app.ledger();
  const missing = jobs.filter(({ runId }) => !isFetched(app, ledger, runId));
  const outputs: string[] = [];
  const lost: string[] = [];
  for (const { runId } of missing) {
    await story
      .step('fetch', `fetch results of ${runId}`, () => withLimit(app, FETCH_MS, (signal) => collectOutputs({ ...app, signal }, shell, runId)), describeOutputs)
      .then(({ directory }) => outputs.push(directory), (error: unknown) => {
        if (app.signal.aborted) throw error;
        lost.push(`${runId} (${error instanceof Error ? error.message : String(error)})`);
      });
  }
  if (lost.length > 0) await ask(`The results of ${lost.join(', ')} could not be fetched and are lost with the disk. Terminate it all the same?`);
  return outputs;
}

/** A machine that never answered has nothing on it; of one that did, the ledger knows what was started from here. */
async function consentToLoss(app: App, id: string, why: string, wasOnline: boolean, ask: Consent): Promise<void> {
  const unfetched = await rememberedUnfetched(app, id);
  if (unfetched.length > 0) {
    await ask(`${id} does not answer (${why}): the results of ${unfetched.join(', ')} are not here and are lost with its disk. Terminate it all the same?`);
  } else if (wasOnline) {
    app.report({ kind: 'note', level: 'info', text: `${id} could not be asked what is on it (${why}); nothing that was started from here is lost` });
  }
}

/** Yes, or `declined` with the ways to mean it. */
function questioner(app: App, provider: Provider, verb: string, { id, state }: Machine): Consent {
  return async (text) => {
    const again = `runctl ${provider.name} ${verb} ${id}`;
    const look = state === 'stopped' || state === 'stopping' ? `runctl ${provider.name} start ${id} --wait   (results can be fetched then)` : `runctl ${provider.name} training-status ${id}`;
    const hints = [`${again} --yes   (what was asked for, without a question)`, `${again} --force   (at once: nothing is saved, nobody is waited for)`, look];
    let yes: boolean;
    try {
      yes = await app.ask({ text, flag: '--yes' });
    } catch (error) {
      throw error instanceof RunctlError && error.code === 'declined' ? new RunctlError('declined', error.message, { cause: error.reason, hints }) : error;
    }
    if (!yes) throw new RunctlError('declined', `${id} was left as it is`, { hints });
  };
}

const isLive = ({ phase }: KnownJob): boolean => phase === 'starting' || phase === 'running';

function describeOther({ runId, verb, step, pid }: OtherRun): string {
  return `${runId} (runctl ${verb}, process ${pid}) is ${step === undefined ? 'under way' : `at step ${step}`}`;
}

function describeJob({ runId, pid, startedAt }: KnownJob): string {
  return `${runId} trains${pid === undefined ? '' : ` (pid ${pid}${startedAt === undefined ? '' : `, since ${new Date(startedAt).toISOString()}`})`}`;
}

function tolerate(app: App, what: string): (error: unknown) => void {
  return (error) => {
    if (app.signal.aborted) throw error;
    app.report({ kind: 'note', level: 'warning', text: `${what}: ${error instanceof Error ? error.message : String(error)}` });
  };
}
