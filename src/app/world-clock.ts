// The clock of whoever talks to the built-in cloud: the time of its world, which may run faster than ours and skip ahead. Read from
// the cloud's clock file (format: src/sim/clock-file.ts) whenever somebody asks, because it changes while we run.
// Requests and their time limits stay real: they are not this clock's.
import { readFileSync, statSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';

/** As `sim env` sets it. */
const VARIABLE = 'RUNCTL_SIM_CLOCK';
/** So soon a sleeper notices that the time was skipped or runs at another pace. */
const LOOK_MS = 200;
/** However fast the world: whoever asks again and again leaves this computer room to answer. */
const LEAST_PAUSE_MS = 10;

interface Course {
  worldMs: number;
  realMs: number;
  pace: number;
  untilMs: number;
}

/** The world's time where the environment leads to the built-in cloud, `real` everywhere else. */
export function clockFor(env: Record<string, string | undefined>, real: Clock): Clock {
  const file = env[VARIABLE];
  // The variable alone is not enough: a shell that was pointed elsewhere since deals with machines of real time.
  return file !== undefined && file !== '' && /^http:\/\/127\.0\.0\.1:\d+$/.test(env['AWS_ENDPOINT_URL'] ?? '') ? worldClock(file, real) : real;
}

/** `file`: absent as long as the world keeps to real time. */
export function worldClock(file: string, real: Clock): Clock {
  let known = '';
  let course: Course | undefined;
  let lastMs = -Infinity;
  let lastMonotonicMs = -Infinity;

  const look = (): void => {
    try {
      const { ino, mtimeMs } = statSync(file);
      const version = `${ino} ${mtimeMs}`;
      if (version !== known) [course, known] = [parse(readFileSync(file, 'utf8')), version];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      [course, known] = [undefined, ''];
    }
  };
  /** How far the world is ahead of us. */
  const aheadMs = (): number => {
    look();
    if (!course) return 0;
    const nowMs = real.now();
    const reckoned = course.worldMs + Math.max(0, nowMs - course.realMs) * course.pace;
    return (course.untilMs > 0 ? Math.min(course.untilMs, reckoned) : reckoned) - nowMs;
  };
  const monotonic = (): number => {
    // While something falls due in a skip, time stands: it must not run back.
    lastMonotonicMs = Math.max(lastMonotonicMs, real.monotonic() + aheadMs());
    return lastMonotonicMs;
  };
  /** How long to wait here for so much of the world's time, as it runs now. */
  const pauseMs = (leftMs: number): number => {
    if (!course) return leftMs;
    const notYetMs = Math.max(0, course.realMs - real.now());
    return course.pace === 0 ? LOOK_MS : notYetMs + Math.max(leftMs / course.pace, Math.min(leftMs, LEAST_PAUSE_MS));
  };
  return {
    now() {
      const nowMs = Math.round(real.now() + aheadMs());
      // Real time may be set back, and then so is this; only standing still is not going back.
      lastMs = course && course.pace === 0 ? Math.max(lastMs, nowMs) : nowMs;
      return lastMs;
    },
    monotonic,
    computing: () => real.monotonic(),
    async sleep(ms, signal) {
      const until = monotonic() + ms;
      let leftMs = ms;
      do {
        await real.sleep(Math.min(pauseMs(leftMs), LOOK_MS), signal);
        leftMs = until - monotonic();
        // What is less than a timer's grain is no reason for another turn.
      } while (leftMs >= 1);
    },
  };
}

/** Its newest course, which is the first line. Undefined: none that we understand, so the file is from another version. */
function parse(text: string): Course | undefined {
  const [worldMs, realMs, rateMilli, untilMs] = (text.split('\n', 1)[0] ?? '').split(' ').map(Number);
  if (worldMs === undefined || realMs === undefined || rateMilli === undefined || untilMs === undefined) return undefined;
  return { worldMs, realMs, pace: rateMilli / 1000, untilMs };
}
