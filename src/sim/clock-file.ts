// How world time runs, on disk: <world>/clock/now. Guests (shell and Python) and runctl itself read it, so that it is plain numbers:
// one line for each course that time has taken, newest first: WORLD_MS REAL_MS PACE UNTIL_MS WANTED_PACE, paces in thousandths.
// From REAL_MS on, world time is WORLD_MS + (real - REAL_MS) * PACE / 1000, and not beyond UNTIL_MS unless that is 0; before
// REAL_MS it stands at WORLD_MS. No file: world time is real time, and nobody has to reckon.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Course {
  worldMs: number;
  realMs: number;
  rateMilli: number;
  untilMs: number;
  /** The rate that was set, which a skip or a boot departs from for a while. */
  wantedMilli: number;
}

export function clockDirectory(worldDirectory: string): string {
  return join(worldDirectory, 'clock');
}

export function clockFile(worldDirectory: string): string {
  return join(clockDirectory(worldDirectory), 'now');
}

/** Newest first; empty: real time. Throws when the file is none of ours. */
export function readCourses(worldDirectory: string): Course[] {
  const file = clockFile(worldDirectory);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return text.trimEnd().split('\n').map((line) => {
    if (!/^\d+( \d+){4}$/.test(line)) throw new Error(`clock file ${file} is not readable: ${line.slice(0, 80)}`);
    const [worldMs, realMs, rateMilli, untilMs, wantedMilli] = line.split(' ').map(Number) as [number, number, number, number, number];
    return { worldMs, realMs, rateMilli, untilMs, wantedMilli };
  });
}

/** Replaced as a whole; no courses: removed. */
export function writeCourses(worldDirectory: string, courses: readonly Course[]): void {
  const file = clockFile(worldDirectory);
  // The directory is there from the start: guests hold it, not the file.
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  if (courses.length === 0) return rmSync(file, { force: true });
  const lines = courses.map(({ worldMs, realMs, rateMilli, untilMs, wantedMilli }) => `${worldMs} ${realMs} ${rateMilli} ${untilMs} ${wantedMilli}\n`);
  writeFileSync(`${file}.partial`, lines.join(''), { mode: 0o644 });
  renameSync(`${file}.partial`, file);
}

export function worldTimeOf({ worldMs, realMs, rateMilli, untilMs }: Course, atRealMs: number): number {
  const reckoned = worldMs + Math.floor((Math.max(0, atRealMs - realMs) * rateMilli) / 1000);
  return untilMs > 0 ? Math.min(untilMs, reckoned) : reckoned;
}
