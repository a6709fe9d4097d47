// Ctrl-C and its kin: the first aborts the work in hand and lets it clean up, the second leaves at once.
import { EXIT, RunctlError } from '../core/errors.ts';

export function abortOnSignals(leave: (exitCode: number) => void): { signal: AbortSignal; finish(): void } {
  const controller = new AbortController();
  const interrupted = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) return leave(EXIT.interrupted);
    controller.abort(new RunctlError('interrupted', `interrupted by ${name === 'SIGINT' ? 'Ctrl-C' : name}`));
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, interrupted);
  return {
    signal: controller.signal,
    // The command is over; questions still under way (its siblings failed) must not keep the process.
    finish: () => controller.abort(new RunctlError('interrupted', 'the command has ended')),
  };
}
