// End the job on a machine and keep the machine: SIGTERM, time to save, SIGKILL.
import { RunctlError } from '../core/errors.ts';
import { newRunId } from '../core/ids.ts';
import type { JobStatus } from '../core/job.ts';
import type { App } from './app.ts';
import { seeJobs } from './in-use.ts';
import { stopJob } from './make-way.ts';
import { requireMachine } from './states.ts';
import { tell } from './steps.ts';

export interface StopTrainingRequest {
  provider: string;
  machineId: string;
  /** Absent: every job that runs there. */
  runId?: string;
  graceMs?: number;
}

export interface StopTrainingResult {
  instanceId: string;
  /** Empty when nothing ran. */
  runs: { runId: string; stopped: 'term' | 'kill' | 'none'; phase: JobStatus['phase']; exitCode?: number; checkpoint?: string }[];
}

export async function stopTraining(app: App, request: StopTrainingRequest): Promise<StopTrainingResult> {
  const provider = await app.provider(request.provider);
  const { machineId } = request;
  return tell(app, { runId: newRunId(app.clock.now()), verb: 'stop-training', request }, async (story) => {
    story.setMachine(machineId, provider.name);
    const machine = await requireMachine(provider, machineId, 'stop-training', app.signal);
    const seen = await seeJobs(app, provider, machine);
    if (!seen.shell || !seen.jobs) {
      throw new RunctlError('ssm-not-ready', `${machineId} cannot be asked what runs on it: ${seen.why ?? 'no answer'}`, { hints: [`runctl ${provider.name} status ${machineId}`, `runctl ${provider.name} stop ${machineId}`] });
    }
    if (request.runId !== undefined && !seen.jobs.some((job) => job.runId === request.runId)) {
      throw new RunctlError('not-found', `no run ${request.runId} on ${machineId}`, { hints: [`runctl ${provider.name} training-status ${machineId}`] });
    }
    const graceS = request.graceMs === undefined ? app.config.train.stop_grace_seconds : Math.ceil(request.graceMs / 1000);
    const live = seen.jobs.filter((job) => (request.runId === undefined || job.runId === request.runId) && (job.phase === 'running' || job.phase === 'starting'));
    const runs: StopTrainingResult['runs'] = [];
    for (const { runId } of live) {
      const { stopped, status } = await stopJob(app, story, seen.shell, runId, graceS);
      runs.push({ runId, stopped, phase: status.phase, exitCode: status.exitCode, checkpoint: status.checkpoint });
    }
    return { instanceId: machineId, runs };
  });
}
