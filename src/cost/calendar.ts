// Days, ISO weeks and months in UTC, for sums over time. Pure.

export type Calendar = 'day' | 'week' | 'month';

const DAY_MS = 86_400_000;

/** The day, week or month that a moment lies in: 2026-01-31, 2026-W05, 2026-01. */
export function calendarName(calendar: Calendar, at: number): string {
  const date = new Date(at).toISOString();
  if (calendar === 'day') return date.slice(0, 10);
  if (calendar === 'month') return date.slice(0, 7);
  // ISO 8601: a week belongs to the year of its Thursday.
  const thursday = calendarStart('week', at) + 3 * DAY_MS;
  const year = new Date(thursday).getUTCFullYear();
  const week = Math.floor((thursday - Date.UTC(year, 0, 1)) / (7 * DAY_MS)) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}

/** Epoch ms at which it began. Weeks begin on Monday. */
export function calendarStart(calendar: Calendar, at: number): number {
  const date = new Date(at);
  if (calendar === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  const midnight = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
  return calendar === 'day' ? midnight : midnight - ((date.getUTCDay() + 6) % 7) * DAY_MS;
}

/** Every beginning after `from`, before `to`. */
export function calendarCuts(calendar: Calendar, from: number, to: number): number[] {
  const cuts: number[] = [];
  for (let at = nextStart(calendar, from); at < to; at = nextStart(calendar, at)) cuts.push(at);
  return cuts;
}

function nextStart(calendar: Calendar, at: number): number {
  const start = new Date(calendarStart(calendar, at));
  if (calendar === 'month') return Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1);
  return start.getTime() + (calendar === 'day' ? 1 : 7) * DAY_MS;
}
