// A wish made whole: what the settings add, the tags that every machine of runctl carries, and whether there may be another one.
import { basename } from 'node:path';
import { RunctlError } from '../../core/errors.ts';
import type { MachineRequest } from '../../core/machine.ts';
import type { Provider } from '../../core/ports.ts';
import type { App } from '../app.ts';
import { type MachineWish, machineWish } from '../preflight.ts';
import { ownerName } from '../resources/owner.ts';

export function completeRequest(app: App, wanted: MachineWish & { project?: string }, runId: string): MachineRequest {
  const project = wanted.project ?? projectName(app);
  return {
    ...machineWish(app, wanted),
    tags: {
      Name: `runctl-${project}`,
      'runctl:run': runId,
      'runctl:project': project,
      'runctl:owner': ownerName(app),
      'runctl:created': new Date(app.clock.now()).toISOString(),
    },
  };
}

/** What machines and runs are filed under: the setting, else the directory's name made fit for a tag. */
export function projectName(app: App): string {
  return app.config.aws.project_name ?? (basename(app.cwd).replace(/[^\w.-]+/g, '-').slice(0, 64) || 'project');
}

/** Guards against making machines without end. */
export async function requireRoom(app: App, provider: Provider): Promise<void> {
  const most = app.config.aws.max_instances;
  const alive = (await provider.list(app.signal)).filter((machine) => machine.state !== 'shutting-down' && machine.state !== 'terminated');
  if (alive.length < most) return;
  throw new RunctlError('limit-reached', `${alive.length} machines made by runctl exist already; the limit is ${most}`, {
    hints: ['runctl runs list', `runctl ${provider.name} stop INSTANCE_ID`, `runctl ${provider.name} terminate INSTANCE_ID`, `runctl config set aws.max_instances ${most * 2}`],
  });
}
