// R115, completion: following a job through everything that can go wrong between here and there, with machine and cloud doubled
// at their ports and a clock that leaps. Real machines do the same in test/completion.test.ts.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leapingClock } from '../../test/support/leaping-clock.ts';
import { type ErrorCode, RunctlError } from '../core/errors.ts';
import type { Event } from '../core/events.ts';
import type { JobPhase } from '../core/job.ts';
import type { Machine, MachineState } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import { type MonitorItem, monitor } from './monitor.ts';
import { watchJob } from './watch.ts';

const MINUTE_MS = 60_000;
const RUN = 'run-20260101-abc234';

interface World {
  /** Seconds at which the job ends, and how. */
  endsS?: number;
  phase?: JobPhase;
  exitCode?: number;
  /** What the log holds at a second. */
  log?: (second: number) => Buffer;
  /** Seconds of log and checkpoint growth, by the machine's clock; default: always now. */
  logAtS?: (second: number) => number;
  /** The machine's clock minus ours. */
  skewMs?: number;
  /** Thrown instead of an answer to question n (from 0), at a second. */
  shellFails?: (n: number, second: number) => RunctlError | undefined;
  findFails?: (second: number) => RunctlError | undefined;
  state?: (second: number) => MachineState | undefined;
  reason?: string;
  patienceMinutes?: number;
  hangMinutes?: number;
}

const error = (code: ErrorCode, message: string = code, data?: Record<string, unknown>): RunctlError => new RunctlError(code, message, { data });
const offline = () => error('endpoint-unreachable', 'cannot reach ssm in us-east-1', { sent: 'never' });
const b64 = (bytes: Buffer): string => bytes.toString('base64');

function world(w: World) {
  const clock = leapingClock(Date.UTC(2026, 0, 1));
  const second = (): number => clock.monotonic() / 1000;
  const events: Event[] = [];
  const scripts: string[] = [];
  const machine = (state: MachineState): Machine => ({ id: 'i-1', provider: 'aws', type: 't3.micro', market: 'on-demand', region: 'us-east-1', tags: {}, state, ...(state === 'running' ? {} : { stateReason: w.reason }) });
  const over = (): boolean => second() >= (w.endsS ?? Infinity);
  const answer = (offset: number, maxBytes: number): string => {
    const log = (w.log ?? (() => Buffer.from('')))(second());
    const now = Math.floor(clock.now() / 1000) + (w.skewMs ?? 0) / 1000;
    const logAt = w.logAtS ? now - Math.floor(second()) + Math.floor(w.logAtS(second())) : now;
    return [
      'runctl-facts-begin', `phase=${over() ? (w.phase ?? 'succeeded') : 'running'}`, `run_id=${RUN}`, ...(over() && w.phase !== 'lost' ? [`exit_code=${w.exitCode ?? 0}`] : []),
      `started_at=${now - Math.floor(second())}`, `now_at=${now}`, `log_bytes=${log.length}`, `log_at=${logAt}`,
      ...(over() ? [`log_tail64=${b64(log.subarray(-4096))}`] : []), `offset=${offset}`, `bytes64=${b64(log.subarray(offset, offset + maxBytes))}`, 'runctl-facts-end', '',
    ].join('\n');
  };
  const shell: Shell = {
    channel: 'ssm', maxOutputBytes: 23_000, maxScriptBytes: 45_000,
    async run(script, options) {
      const asked = scripts.push(script) - 1;
      const [, words] = /runctl_main (.*)\n$/.exec(script)!;
      const [word, , offset = '0', maxBytes = '0', holdS = '0'] = words!.replaceAll("'", '').split(' ');
      const failed = w.shellFails?.(asked, second());
      if (failed) {
        // An answer that never comes takes its time.
        await clock.sleep(failed.code === 'timeout' ? options!.answerWithinMs! : 100, options?.signal);
        throw failed;
      }
      const before = (w.log ?? (() => Buffer.from('')))(second()).length;
      const holds = word === 'watch' && before <= Number(offset) ? Number(holdS) * 2 : 0;
      for (let i = 0; i < holds && !over(); i++) await clock.sleep(500, options?.signal);
      return { exitCode: 0, stdout: answer(Number(offset), Number(maxBytes)), stderr: '' };
    },
  };
  const finds: number[] = [];
  const provider = {
    name: 'aws',
    async find() {
      finds.push(second());
      const failed = w.findFails?.(second());
      if (failed) throw failed;
      const state = w.state ? w.state(second()) : 'running';
      return state && machine(state);
    },
    price: async () => Promise.reject(error('not-permitted')),
    shell: async () => shell,
  } as unknown as Provider;
  const abort = new AbortController();
  const app = {
    clock, signal: abort.signal, report: (event: Event) => void events.push(event), provider: async () => provider,
    config: { train: { patience_minutes: w.patienceMinutes ?? 30, hang_minutes: w.hangMinutes ?? 0 } },
  } as unknown as App;
  const follow = async (more: { timeoutMs?: number } = {}) => {
    const parts: Buffer[] = [];
    let last: JobPhase | undefined;
    for await (const chunk of watchJob(app, provider, machine('running'), shell, { runId: RUN, offset: 0, follow: true, ...more })) {
      parts.push(chunk.bytes);
      last = chunk.status.phase;
    }
    return { log: Buffer.concat(parts), phase: last };
  };
  const follows = async () => {
    const all: MonitorItem[] = [];
    for await (const item of monitor(app, { provider: 'aws', machineId: 'i-1', follow: true })) all.push(item);
    return all;
  };
  const notes = (): string[] => events.flatMap((event) => (event.kind === 'note' ? [event.text] : []));
  return { app, clock, events, scripts, finds, second, follow, follows, notes, abort };
}

const failed = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable('it should have failed'), (thrown: unknown) => thrown as RunctlError);

describe('R115 completion: the machine is lost', () => {
  test.each([
    ['terminated', 'Client.UserInitiatedShutdown: User initiated shutdown', /terminated.*ended with it/, /User initiated.*disk is gone/s],
    ['shutting-down', 'Server.InternalError: Internal error', /shutting-down/, /Internal error.*disk is gone/s],
    ['stopped', 'Client.UserInitiatedShutdown: User initiated shutdown', /stopped/, /disk is kept/],
    ['stopping', 'Client.InstanceInitiatedShutdown: Instance initiated shutdown', /stopping/, /Instance initiated shutdown.*disk is kept/s],
    [undefined, undefined, /gone/, /does not know it any more/],
  ] as const)('R071 %s (%s) ends the wait at the first question that is not answered, with the cause', async (state, reason, message, cause) => {
    const w = world({ state: (s) => (s > 60 ? state : 'running'), reason, shellFails: (_n, s) => (s > 60 ? error('ssm-not-ready') : undefined) });
    const thrown = await failed(w.follow());
    expect(thrown).toMatchObject({ code: 'machine-lost', exitCode: 2, data: { machine: 'i-1', runId: RUN } });
    expect(thrown.message).toMatch(message);
    expect(thrown.reason).toMatch(cause);
    expect(thrown.hints.length).toBeGreaterThan(0);
    expect(w.second()).toBeLessThan(60 + 11);
  });

  test('R071 the shell saw it first: the same words', async () => {
    const w = world({ state: () => 'terminated', shellFails: () => error('machine-lost') });
    expect((await failed(w.follow())).message).toBe(`i-1 is terminated: ${RUN} ended with it`);
  });
});

describe('R115 completion: nobody answers', () => {
  test('R222 twenty-five timeouts in a row are no death: nothing is started, and the log goes on where it was', async () => {
    const log = Buffer.from(Array.from({ length: 2000 }, (_, i) => `line ${i}\n`).join(''));
    const w = world({ endsS: 4000, log: (s) => log.subarray(0, Math.floor((log.length * Math.min(s, 4000)) / 4000)), patienceMinutes: 60, shellFails: (n) => (n > 5 && n <= 30 ? error('timeout') : undefined) });
    expect(await w.follow()).toEqual({ log, phase: 'succeeded' });
    expect(w.scripts.every((script) => / 'watch' /.test(script))).toBe(true);
  });

  test('R222 a silent machine that the cloud calls running is never declared dead: in the end the job may still run', async () => {
    const w = world({ shellFails: () => error('timeout', 'SSM still calls the command Pending') });
    const thrown = await failed(w.follow());
    expect(thrown).toMatchObject({ code: 'unreachable', exitCode: 5, data: { who: 'machine' } });
    expect(thrown.message).toMatch(/nothing was heard from i-1 for 3[01] min; .* may still run/);
    expect(thrown.message + thrown.reason).not.toMatch(/fail|dead|lost/);
    expect(thrown.hints).toEqual(['runctl aws status i-1', `runctl aws monitor i-1 --run ${RUN} --follow`]);
    expect(w.second()).toBeGreaterThanOrEqual(1800);
    expect(w.second()).toBeLessThan(1800 + 60);
  });

  test('the network of this computer is gone for an hour: waits, says so, and goes on without losing or repeating a byte', async () => {
    const away = (s: number): boolean => s > 100 && s < 3700;
    const log = (s: number): Buffer => Buffer.from(Array.from({ length: Math.floor(Math.min(s, 5000)) }, (_, i) => `${i} ünïcödé\n`).join(''));
    const w = world({ endsS: 5000, log, patienceMinutes: 90, shellFails: (_n, s) => (away(s) ? offline() : undefined), findFails: (s) => (away(s) ? offline() : undefined) });
    const items = await w.follows();
    expect(items.map((item) => (item.kind === 'log' ? item.text : '')).join('')).toBe(log(5000).toString());
    expect(items.at(-1)).toMatchObject({ kind: 'end', phase: 'succeeded', exitCode: 0 });
    expect(w.notes()).toEqual([expect.stringMatching(/cannot reach ssm .* from this computer; the job on i-1 needs no connection and goes on/), expect.stringMatching(/i-1 answers again after (5\d|60|61) min/)]);
    const asked = w.finds.filter(away);
    expect(asked.length).toBeLessThan(3600 / 10);
  });

  test('R080 no silent gap: while the network is away, how long nothing was heard is told all the time', async () => {
    const away = (s: number): boolean => s > 30 && s < 300;
    const w = world({ endsS: 400, log: (s) => Buffer.from('x\n'.repeat(Math.floor(s / 2))), shellFails: (_n, s) => (away(s) ? offline() : undefined), findFails: (s) => (away(s) ? offline() : undefined) });
    await w.follows();
    const told = w.events.flatMap((event) => (event.kind === 'step.progress' ? [event] : []));
    expect(told.some(({ detail }) => /nothing heard from i-1 for \d+ (s|min)/.test(detail ?? ''))).toBe(true);
    const gaps = told.map(({ elapsedMs }, i) => elapsedMs - (told[i - 1]?.elapsedMs ?? elapsedMs)).filter((_gap, i) => away(told[i]!.elapsedMs / 1000));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(16_000);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0);
  });

  test('given up after the limit, the error blames the network and says that the job goes on', async () => {
    const w = world({ patienceMinutes: 5, shellFails: offline, findFails: offline });
    const thrown = await failed(w.follow());
    expect(thrown).toMatchObject({ code: 'unreachable', data: { who: 'network' } });
    expect(thrown.reason).toMatch(/needs no connection and goes on/);
    expect(w.second()).toBeLessThan(5 * 60 + 20);
  });

  test.each([
    ['throttling', error('throttled', 'ssm asks for fewer requests', { awsCode: 'ThrottlingException', httpStatus: 400 })],
    ['an internal error', error('endpoint-unreachable', 'ssm failed on its own side', { httpStatus: 500 })],
    ['an answer that breaks off', error('answer-broken')],
    ['a clock that was set', error('credentials-rejected', 'skewed', { awsCode: 'RequestTimeTooSkewed' })],
    ['a clock that was set, in the words of SSM', error('cloud-refused', 'skewed', { awsCode: 'InvalidSignatureException', awsMessage: 'Signature expired: 20260101T000000Z is now earlier than ...' })],
  ])('%s now and then is absorbed', async (_name, passing) => {
    const w = world({ endsS: 300, log: (s) => Buffer.from('y'.repeat(Math.floor(s))), shellFails: (n) => (n % 3 === 1 ? passing : undefined) });
    const { log, phase } = await w.follow();
    expect(phase).toBe('succeeded');
    expect(log.length).toBeGreaterThanOrEqual(300);
    expect(new Set(log)).toEqual(new Set([121]));
  });

  test('credentials that run out end the watching, not the job', async () => {
    const w = world({ shellFails: (n) => (n > 3 ? new RunctlError('credentials-rejected', 'the AWS credentials have expired', { hints: ['aws sso login'], data: { awsCode: 'ExpiredToken' } }) : undefined) });
    const thrown = await failed(w.follow());
    expect(thrown).toMatchObject({ code: 'credentials-rejected', message: 'the AWS credentials have expired' });
    expect(thrown.reason).toContain(`${RUN} on i-1 goes on`);
    expect(thrown.hints).toEqual(['aws sso login', 'runctl aws status i-1', `runctl aws monitor i-1 --run ${RUN} --follow`]);
  });

  test('whatever fails how often, in whatever order: every byte once, in order', async () => {
    const kinds = ['timeout', 'throttled', 'endpoint-unreachable', 'answer-broken', 'ssm-not-ready'] as const;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 60_000 }), fc.array(fc.option(fc.constantFrom(...kinds)), { maxLength: 40 }), async (bytes, fates) => {
        const whole = Buffer.from(bytes);
        const w = world({ endsS: 200, log: (s) => whole.subarray(0, Math.floor((whole.length * Math.min(s, 200)) / 200)), patienceMinutes: 600, shellFails: (n) => (fates[n] ? error(fates[n]) : undefined) });
        expect((await w.follow()).log.equals(whole)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

describe('R115 completion: time', () => {
  test.each([-5, 5, 40])('this computer\'s clock is set %i hours while waiting: no timeout comes early or late, and nothing is negative', async (hours) => {
    const w = world({ log: (s) => Buffer.from('z\n'.repeat(Math.floor(s))) });
    const waiting = failed(w.follow({ timeoutMs: 10 * MINUTE_MS }));
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
    w.clock.step(hours * 3_600_000);
    const thrown = await waiting;
    expect(thrown).toMatchObject({ code: 'timeout', exitCode: 5, message: `${RUN} still runs after 10 min; it goes on` });
    expect(w.second()).toBeGreaterThanOrEqual(600);
    expect(w.second()).toBeLessThan(602);
  });

  test.each([-26, 26])('a machine whose clock is %i hours off: ages are by its own clock', async (hours) => {
    const w = world({ endsS: 900, skewMs: hours * 3_600_000, logAtS: (s) => Math.min(s, 100), hangMinutes: 10 });
    await w.follows();
    expect(w.notes()).toEqual([expect.stringMatching(/no new log line and no new checkpoint for 10 min/)]);
    const quiet = w.events.flatMap((event) => (event.kind === 'step.progress' ? [event.detail ?? ''] : [])).filter((text) => text.includes('log silent'));
    expect(quiet.length).toBeGreaterThan(10);
    expect(quiet.join()).not.toMatch(/-\d| h | d /);
  });

  test('R069 a training that hangs is reported once, its process left alone, and again after it had moved', async () => {
    const w = world({ endsS: 7200, logAtS: (s) => (s < 3600 ? Math.min(s, 60) : Math.min(s, 3660)), hangMinutes: 15 });
    await w.follows();
    expect(w.notes().filter((text) => text.includes('may hang'))).toHaveLength(2);
    expect(w.scripts.some((script) => / 'stop' /.test(script))).toBe(false);
    const quiet = world({ endsS: 7200, logAtS: () => 0, hangMinutes: 0 });
    await quiet.follows();
    expect(quiet.notes()).toEqual([]);
  });

  test('R073 a job that outlives everything costs few questions, and the age of its log is told', async () => {
    const day = 86_400;
    const w = world({ endsS: day, log: () => Buffer.from('epoch 3/90 loss 0.25\n'), logAtS: () => 5 });
    await w.follows();
    expect(w.scripts.length).toBeLessThan(day / 9);
    expect(w.finds.length).toBe(1);
    const told = w.events.flatMap((event) => (event.kind === 'step.progress' ? [event.detail ?? ''] : []));
    expect(told.some((text) => /^epoch 3\/90, loss 0\.25; log silent for 2[34] h/.test(text))).toBe(true);
  });
});
