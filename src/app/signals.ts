// Ctrl-C and its kin: the first aborts the work in hand and lets it clean up, the second leaves at once.
import { setMaxListeners } from 'node:events';
import { EXIT, RunctlError } from '../core/errors.ts';

export interface Interruption {
  signal: AbortSignal;
  /** As the first Ctrl-C does, for another reason; once interrupted it does nothing. */
  interrupt(why: string): void;
  /** The command is over; questions still under way (its siblings failed) must not keep the process. */
  finish(): void;
}

/** Nobody presses a key twice so fast. */
const ECHO_MS = 50;

/** `leave` must not return. */
export function abortOnSignals(leave: (exitCode: number) => void): Interruption {
  const controller = new AbortController();
  // Every request and pause under way hangs on this one, and a dozen at a time are no leak.
  setMaxListeners(0, controller.signal);
  const interrupt = (why: string): void => controller.abort(new RunctlError('interrupted', why));
  let over = false;
  let heardAt = -Infinity;
  const interrupted = (name: NodeJS.Signals): void => {
    const now = performance.now();
    // npx, timeout and their kin pass on what the terminal has sent to everybody already: that is no second Ctrl-C.
    if (!over && now - heardAt < ECHO_MS) return;
    heardAt = now;
    // After the end of the command there is nothing to clean up, and nothing that would be left.
    if (over || controller.signal.aborted) return leave(EXIT.interrupted);
    interrupt(`interrupted by ${name === 'SIGINT' ? 'Ctrl-C' : name}`);
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, interrupted);
  return {
    signal: controller.signal,
    interrupt,
    finish: () => {
      over = true;
      interrupt('the command has ended');
    },
  };
}
