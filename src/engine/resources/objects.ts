// Names of the objects through which code and results pass (sync/push.ts, engine/collect.ts): runctl/RUN/FILE.
import { isRunId } from '../../core/ids.ts';

/** The run whose packed results this is. */
export function isOutputsKey(key: string): string | undefined {
  const [prefix, run = '', file] = key.split('/');
  return prefix === 'runctl' && isRunId(run) && file === 'outputs.tar.gz' ? run : undefined;
}
