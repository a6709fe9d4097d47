// Does: the world's clock: real time until somebody gives it a rate or skips ahead, kept over restarts (clock-file.ts); and one
// that a test moves by hand.
// Gaps: it cannot be slower than real time, be set back, or stand still for long.
// By design: it never goes backwards. A skip stops at every moment at which something is due, until that is done. While machines run
// it does not jump but hurries from one such moment to the next (an hour takes a second), for processes are to live through the
// time that passes. While a machine boots or goes down, the world keeps to real time: that is work of this computer.
// HTTP Date headers never use it, and signatures are good at real time too, else clients would shift their own clocks.
import type { SimClock } from './cloud.ts';
import { type Course, readCourses, worldTimeOf, writeCourses } from './clock-file.ts';

/** setTimeout takes no more than this; longer waits are chained. */
const LONGEST_TIMEOUT_MS = 2_147_483_647;
/** World milliseconds in a real one while a skip hurries, and the longest that it may take in all, stops not counted. */
const HURRY = 3_600;
const LONGEST_HURRY_MS = 10_000;
/** Sleepers in guests look at the clock so often (guest-time.sh); before time hurries off they are told. */
const NOTICE_MS = 300;
const FIRST_NOTICE_MS = 550;
const WORTH_NOTICE_MS = 60_000;
const LOOK_MS = 20;
/** Older courses are only needed to say at what world time a file was written. */
const KEPT_COURSES = 64;

export interface ClockReading {
  nowMs: number;
  /** World seconds in a real one. */
  rate: number;
  /** How far the world is ahead of real time. */
  aheadMs: number;
}

export interface WorldClock extends SimClock {
  read(): ClockReading;
  /** 1: the pace of real time. */
  setRate(rate: number): void;
  /** Move the time on, running what falls due in order, each to its end before the next; time stands at its moment meanwhile. */
  skip(byMs: number): Promise<void>;
  /** The world keeps to the pace of real time while `act` works. */
  unhurried<T>(act: () => Promise<T>): Promise<T>;
  /** Back to real time: the world was emptied. */
  reset(): void;
  /** Nothing falls due any more; while nobody is there, time passes at the pace of real time. */
  close(): void;
}

interface Due {
  at: number;
  order: number;
  action: () => void | Promise<void>;
}

class Agenda {
  readonly #due: Due[] = [];
  #order = 0;

  /** Returns what takes it off again. */
  add(at: number, action: Due['action']): () => void {
    const entry = { at, order: this.#order++, action };
    const index = this.#due.findIndex((other) => other.at > at);
    this.#due.splice(index < 0 ? this.#due.length : index, 0, entry);
    return () => {
      const place = this.#due.indexOf(entry);
      if (place >= 0) this.#due.splice(place, 1);
    };
  }

  get nextAt(): number | undefined {
    return this.#due[0]?.at;
  }

  /** Takes the first that is due by then. */
  take(by: number): Due | undefined {
    return (this.#due[0]?.at ?? Infinity) <= by ? this.#due.shift() : undefined;
  }
}

/** `hasGuests`: whether processes live in the world, which must not be left behind by a skip. */
export function worldClock(directory: string, hasGuests: () => boolean = () => false): WorldClock {
  const agenda = new Agenda();
  let courses = readCourses(directory);
  let rate = (courses[0]?.wantedMilli ?? 1000) / 1000;
  let working = 0;
  let skipping: Promise<void> = Promise.resolve();
  let isSkipping = false;
  let lastMs = 0;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const reckon = (): number => (courses[0] ? worldTimeOf(courses[0], Date.now()) : Date.now());
  const now = (): number => {
    const reckoned = reckon();
    // Somebody set this computer's clock back: the world goes on from where it was.
    if (reckoned < lastMs - 1000) take({ worldMs: lastMs });
    lastMs = Math.max(lastMs, reckon());
    return lastMs;
  };
  const take = (course: Partial<Course>): void => {
    const realMs = Date.now();
    courses = [{ worldMs: lastMs, realMs, rateMilli: courses[0]?.rateMilli ?? 1000, untilMs: 0, wantedMilli: rate * 1000, ...course }, ...courses].slice(0, KEPT_COURSES);
    writeCourses(directory, courses);
  };
  /** The pace that is due, unless a skip has its own. */
  const keepPace = (): void => {
    const rateMilli = (working > 0 ? 1 : rate) * 1000;
    const course = courses[0] ?? { rateMilli: 1000, untilMs: 0, wantedMilli: 1000 };
    if (isSkipping || closed || (course.rateMilli === rateMilli && course.untilMs === 0 && course.wantedMilli === rate * 1000)) return;
    now();
    take({ rateMilli });
    arm();
  };
  const arm = (): void => {
    clearTimeout(timer);
    const { nextAt } = agenda;
    if (nextAt === undefined || isSkipping || closed) return;
    const leftMs = (nextAt - now()) / ((courses[0]?.rateMilli ?? 1000) / 1000);
    timer = setTimeout(ring, Math.min(LONGEST_TIMEOUT_MS, Math.max(0, Math.ceil(leftMs))));
    // The server keeps the process alive; a pending transition alone must not.
    timer.unref();
  };
  const ring = (): void => {
    for (let next = agenda.take(now()); next; next = agenda.take(now())) void next.action();
    arm();
  };

  /** To that moment or, when something comes up that is due earlier, to that. */
  const travel = async (until: number, hurry: number): Promise<void> => {
    const from = now();
    if (until > from && hasGuests()) {
      const noticeMs = courses.length === 0 ? FIRST_NOTICE_MS : until - from >= WORTH_NOTICE_MS ? NOTICE_MS : 0;
      take({ worldMs: from, realMs: Date.now() + noticeMs, rateMilli: hurry * 1000, untilMs: until });
      const endsAt = performance.now() + noticeMs + (until - from) / hurry;
      for (let leftMs = endsAt - performance.now(); leftMs > 0 && now() < until; leftMs = endsAt - performance.now()) {
        await new Promise((done) => setTimeout(done, Math.min(LOOK_MS, leftMs)));
        if ((agenda.nextAt ?? Infinity) < Math.max(until, now())) break;
      }
    }
    const stopAt = Math.max(now(), Math.min(until, agenda.nextAt ?? until));
    lastMs = stopAt;
    take({ worldMs: stopAt, rateMilli: 0 });
  };
  const walk = async (byMs: number): Promise<void> => {
    const until = now() + byMs;
    const hurry = Math.ceil(Math.max(HURRY, rate, byMs / LONGEST_HURRY_MS));
    isSkipping = true;
    clearTimeout(timer);
    try {
      for (;;) {
        await travel(Math.min(until, agenda.nextAt ?? until), hurry);
        const next = agenda.take(lastMs);
        if (next) await next.action();
        else if (lastMs >= until) return;
      }
    } finally {
      isSkipping = false;
      keepPace();
      arm();
    }
  };

  now();
  // A server that died in the middle of a skip, or of a boot, leaves a course that is not to be gone on with.
  writeCourses(directory, courses);
  keepPace();
  return {
    now,
    after(delayMs, action) {
      const cancel = agenda.add(now() + Math.max(0, delayMs), action);
      arm();
      return cancel;
    },
    read: () => ({ nowMs: now(), rate, aheadMs: Math.max(0, now() - Date.now()) }),
    setRate(wanted) {
      rate = Math.round(wanted * 1000) / 1000;
      keepPace();
    },
    skip(byMs) {
      const skipped = skipping.then(() => walk(byMs));
      skipping = skipped.catch(() => undefined);
      return skipped;
    },
    async unhurried(act) {
      working += 1;
      keepPace();
      try {
        return await act();
      } finally {
        working -= 1;
        keepPace();
      }
    },
    reset() {
      courses = [];
      rate = 1;
      lastMs = 0;
      writeCourses(directory, courses);
      arm();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      now();
      if (courses[0] && courses[0].rateMilli !== 1000) take({ rateMilli: 1000 });
    },
  };
}

export interface ManualClock extends WorldClock {
  /** The same as a skip. */
  advance(byMs: number): Promise<void>;
}

export function manualClock(startMs: number): ManualClock {
  const agenda = new Agenda();
  let nowMs = startMs;
  const advance = async (byMs: number): Promise<void> => {
    const until = nowMs + byMs;
    for (let next = agenda.take(until); next; next = agenda.take(until)) {
      nowMs = Math.max(nowMs, next.at);
      await next.action();
    }
    nowMs = until;
  };
  return {
    now: () => nowMs,
    after: (delayMs, action) => agenda.add(nowMs + Math.max(0, delayMs), action),
    advance,
    skip: advance,
    read: () => ({ nowMs, rate: 0, aheadMs: 0 }),
    setRate: () => {
      throw new Error('this clock is moved by hand');
    },
    unhurried: (act) => act(),
    reset: () => undefined,
    close: () => undefined,
  };
}
