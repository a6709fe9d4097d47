// Train on this machine: the same agent, log, exit record and checkpoints as anywhere else, code in place.
import type { App } from './app.ts';
import { type TrainRequest, type TrainResult, train } from './train.ts';

export async function trainLocally(app: App, request: Pick<TrainRequest, 'script' | 'args' | 'hyperparams' | 'projectRoot'>): Promise<TrainResult> {
  return train(app, {
    provider: 'local',
    machineId: 'local',
    ...request,
    includePatterns: [],
    syncCode: false,
    install: false,
    wait: true,
    force: true,
    stopOnInterrupt: true,
  });
}
