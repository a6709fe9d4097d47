// Whatever one call of the cloud answers, whichever call it is: a command ends in its result or in one error that helps, and no
// machine is left that nobody was told of. Every operation that the commands call, under every weather.
// RUNCTL_MATRIX=full runs all cases; RUNCTL_MATRIX=each lets each operation meet each weather in one of the commands that call it;
// otherwise every second of those runs, the same ones everywhere, and RUNCTL_MATRIX=few runs every eighth.
import { expect, test } from 'vitest';
import { RunctlError } from '../src/core/errors.ts';
import type { WeatherInput } from '../src/sim/weather/plan.ts';
import { COMMANDS, type CaseOutcome, type CommandName, type Lane, openLane, told } from './support/fault-lane.ts';

type Storm = Omit<WeatherInput, 'operation'>;

const WEATHERS: Record<string, Storm> = {
  'throttled once': { kind: 'throttle', times: 1 },
  'throttled for ever': { kind: 'throttle' },
  'server error once': { kind: 'server-error', times: 1 },
  'server error for ever': { kind: 'server-error', status: 503 },
  'reply lost once': { kind: 'lost-reply', times: 1 },
  'replies lost for ever': { kind: 'lost-reply' },
  'reset once': { kind: 'reset', times: 1 },
  'reset for ever': { kind: 'reset' },
  'web page 502 once': { kind: 'html', status: 502, times: 1 },
  'web page 200 for ever': { kind: 'html', status: 200 },
  'access denied': { kind: 'access-denied' },
  'credentials expired': { kind: 'credentials-expired' },
  'slow once': { kind: 'slow', delay: '200ms', times: 1 },
};

interface Case {
  command: CommandName;
  operation: string;
  weather: string;
}

const LANES = 3;
/** Far above what any case takes; a command that hangs is what is looked for. */
const HANG_MS = 40_000;

const nameOf = ({ command, operation, weather }: Case): string => `${command}: ${operation} ${weather}`;

/** A fixed sequence: the same sample on every computer. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

/** Each operation meets each weather once; the command is drawn from those that call it, short ones more often. */
function sample(cases: readonly Case[]): Case[] {
  const random = seeded(20_260_101);
  const groups = new Map<string, Case[]>();
  for (const each of cases) groups.set(`${each.operation} ${each.weather}`, [...(groups.get(`${each.operation} ${each.weather}`) ?? []), each]);
  return [...groups.values()].map((group) => {
    const short = group.filter(({ command }) => !command.startsWith('workflow'));
    const drawn = short.length > 0 && random() < 0.85 ? short : group;
    return drawn[Math.floor(random() * drawn.length)] as Case;
  });
}

/** What is wrong with how a case ended; empty: nothing. */
function faultsOf({ command, operation, weather }: Case, outcome: CaseOutcome): string[] {
  const { error, result, alive, made, elapsedMs } = outcome;
  const words = told(outcome);
  const wrong: string[] = [];
  if (result === undefined) {
    if (!(error instanceof RunctlError)) wrong.push(`not our error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    else {
      if (['bug', 'usage', 'job-failed', 'interrupted'].includes(error.code)) wrong.push(`code ${error.code}: ${error.message}`);
      if (!error.reason) wrong.push(`no cause: ${error.message}`);
      if (error.hints.length === 0) wrong.push(`no hint: ${error.message}`);
      if (/\n\s+at |\bat (?:async )?\S+ \(|undefined|\[object/.test(`${error.message}\n${error.reason ?? ''}`)) wrong.push(`not for people: ${error.message} ${error.reason ?? ''}`);
      if (weather.endsWith('once')) wrong.push(`one hiccup ended it: ${error.code}: ${error.message}: ${error.reason}`);
    }
  }
  const untold = alive.filter((id) => !words.includes(id));
  if (untold.length > 0) wrong.push(`machines that nobody was told of: ${untold.join(' ')}: ${words}`);
  if (made.length > 1) wrong.push(`${made.length} machines were made`);
  const mayStay = operation === 'ec2.TerminateInstances' || (error instanceof RunctlError && error.code === 'unreachable');
  if (command.startsWith('workflow') && alive.length > 0 && !mayStay) wrong.push(`left billing: ${alive.join(' ')}: ${words}`);
  if (command === 'create' && result !== undefined && alive.length !== 1) wrong.push(`it succeeded with ${alive.length} machines`);
  if (elapsedMs > HANG_MS) wrong.push(`it took ${Math.round(elapsedMs)} ms`);
  return wrong;
}

async function inLanes<T>(items: readonly T[], lanes: readonly Lane[], work: (item: T, lane: Lane) => Promise<void>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    lanes.map(async (lane) => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item, lane);
    }),
  );
}

test('R004 R078 R205 fault matrix: every operation of every command under every weather ends in a result or in one error that helps, and nothing bills unseen', async () => {
  const lanes = await Promise.all(Array.from({ length: LANES }, openLane));
  try {
    const calls = new Map<CommandName, string[]>();
    await inLanes(COMMANDS, lanes, async (command, lane) => {
      const { error, operations } = await lane.run(command);
      if (error) throw error;
      calls.set(command, operations.sort());
    });
    const cases = COMMANDS.flatMap((command) => calls.get(command)!.flatMap((operation) => Object.keys(WEATHERS).map((weather): Case => ({ command, operation, weather }))));
    const size = process.env['RUNCTL_MATRIX'] ?? 'half';
    const every = { full: 1, each: 1, half: 2, few: 8 }[size];
    if (every === undefined) throw new Error(`RUNCTL_MATRIX=${size} is none of full, each, half, few`);
    const chosen = (size === 'full' ? cases : sample(cases)).filter((_case, n) => n % every === 0);
    const operations = new Set(cases.map(({ operation }) => operation));
    console.log(`fault matrix: ${COMMANDS.length} commands x ${operations.size} operations x ${Object.keys(WEATHERS).length} weathers = ${cases.length} cases, of which ${chosen.length} run`);
    expect(operations.size).toBeGreaterThan(15);
    const wrong: string[] = [];
    let missed = 0;
    await inLanes(chosen, lanes, async (each, lane) => {
      const outcome = await lane.run(each.command, { operation: each.operation, ...WEATHERS[each.weather]! });
      if (outcome.hits === 0) missed += 1;
      for (const fault of faultsOf(each, outcome)) wrong.push(`${nameOf(each)}: ${fault}`);
    });
    expect(wrong).toEqual([]);
    // A case in which the call was not made proves nothing; a few depend on timing.
    expect(missed).toBeLessThanOrEqual(chosen.length / 20);
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()));
  }
}, 1_800_000);
