// Train on this machine: the same agent, log, exit record and checkpoints as anywhere else, code in place.
import type { App } from './app.ts';
import { type TrainResult, train } from './train.ts';

export async function trainLocally(app: App, request: { script: string; args: string[]; projectRoot?: string }): Promise<TrainResult> {
  return train(app, {
    provider: 'local',
    machineId: 'local',
    script: request.script,
    args: request.args,
    projectRoot: request.projectRoot,
    includePatterns: [],
    syncCode: false,
    wait: true,
    force: true,
    stopOnInterrupt: true,
  });
}
