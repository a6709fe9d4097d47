// Waiting, with the provider doubled at its port and a clock that leaps: minutes of a slow cloud in milliseconds.
import { describe, expect, test } from 'vitest';
import { leapingClock } from '../../test/support/leaping-clock.ts';
import { RunctlError } from '../core/errors.ts';
import type { Event } from '../core/events.ts';
import type { Machine, MachineState } from '../core/machine.ts';
import type { Provider, Readiness, Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import { monitor } from './monitor.ts';
import { waitReady } from './ready.ts';
import { pollDelays, proveShell, waitForState, waitUntilReady } from './wait.ts';

interface Fate {
  /** Seconds until the machine is in the next state. */
  states?: [number, MachineState][];
  onlineAtS?: number;
  /** Commands come back only from here on, although SSM says online. */
  answersAtS?: number;
  profile?: string | null;
  /** What a command prints instead of what it was told to. */
  says?: string;
  /** Thrown instead of any answer of the cloud, at a second. */
  trouble?: (second: number) => RunctlError | undefined;
  /** From this second on the cloud denies the machine. */
  unknownFromS?: number;
}

function cloud(fate: Fate) {
  const clock = leapingClock(0);
  const seconds = () => clock.monotonic() / 1000;
  const events: Event[] = [];
  let commands = 0;
  const machine = (): Machine => ({
    id: 'i-1', provider: 'aws', type: 't3.micro', market: 'on-demand', region: 'us-east-1', tags: {},
    state: (fate.states ?? [[0, 'running']]).filter(([at]) => at <= seconds()).at(-1)![1],
    profile: fate.profile === null ? undefined : (fate.profile ?? 'p'),
  });
  const shell: Shell = {
    channel: 'ssm', maxOutputBytes: 23_000, maxScriptBytes: 45_000,
    run: async (script) => {
      commands += 1;
      if (seconds() < (fate.answersAtS ?? fate.onlineAtS ?? 0)) throw new RunctlError('ssm-not-ready', 'the SSM agent on i-1 has not registered yet', { hints: ['runctl aws wait-ssm i-1'] });
      return { exitCode: 0, stdout: fate.says ?? script.split(' ').at(-1)!, stderr: '' };
    },
  };
  const fail = (): undefined => {
    const error = fate.trouble?.(seconds());
    if (error) throw error;
  };
  const provider = {
    name: 'aws',
    find: async (id: string) => {
      fail();
      return id === 'i-1' && seconds() < (fate.unknownFromS ?? Infinity) ? machine() : undefined;
    },
    price: async () => Promise.reject(new RunctlError('not-permitted', 'no prices')),
    readiness: async (): Promise<Readiness> =>
      fail() ??
      (fate.profile === null
        ? { channel: 'none', state: 'none', detail: 'SSM is not available: no instance profile' }
        : seconds() >= (fate.onlineAtS ?? 0)
          ? { channel: 'ssm', state: 'online', detail: 'SSM connected' }
          : { channel: 'ssm', state: 'registering', detail: 'SSM agent is registering' }),
    shell: async () => shell,
  } as unknown as Provider;
  const app = { clock, report: (event: Event) => void events.push(event), signal: new AbortController().signal, provider: async () => provider } as unknown as App;
  return { app, provider, clock, events, machine, commands: () => commands, seconds };
}

const failed = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable(), (error: unknown) => error as RunctlError);

describe('R115 SSM edge cases: proof that SSM works', () => {
  test('R027 D10 the proof is an answer with our nonce, not the word online', async () => {
    const slow = cloud({ onlineAtS: 5, answersAtS: 60 });
    await proveShell(slow.app, slow.provider, slow.machine(), { timeoutMs: 300_000 });
    expect(slow.seconds()).toBeGreaterThanOrEqual(60);
    expect(slow.commands()).toBeGreaterThan(1);
    const liar = cloud({ says: '' });
    expect((await failed(proveShell(liar.app, liar.provider, liar.machine(), { timeoutMs: 60_000 }))).code).toBe('ssm-not-ready');
  });

  test('R028 an agent that needs 95 seconds is waited for', async () => {
    const slow = cloud({ states: [[0, 'pending'], [20, 'running']], onlineAtS: 95 });
    await waitUntilReady(slow.app, slow.provider, 'i-1', { timeoutMs: 600_000 });
    expect(slow.seconds()).toBeGreaterThanOrEqual(95);
    expect(slow.seconds()).toBeLessThan(102);
  });

  test('R028 R031 D10 an agent that never comes is a failure that explains itself, never success', async () => {
    const dead = cloud({ onlineAtS: Infinity });
    const error = await failed(proveShell(dead.app, dead.provider, dead.machine(), { timeoutMs: 120_000 }));
    expect(error.code).toBe('ssm-not-ready');
    expect(error.exitCode).toBe(5);
    expect(error.reason).toMatch(/30 to 90 s/);
    expect(error.hints).toContain('runctl aws wait-ssm i-1 --timeout 10m');
    expect(error.message).not.toMatch(/connected/);
    expect(dead.commands()).toBe(0);
  });

  test('R029 without a profile nothing is waited for, and the text says why', async () => {
    const none = cloud({ profile: null });
    const error = await failed(proveShell(none.app, none.provider, none.machine(), { timeoutMs: 120_000 }));
    expect(error.message).toContain('no instance profile');
    expect(none.seconds()).toBe(0);
  });

  test('a machine that is terminated meanwhile ends the wait', async () => {
    const gone = cloud({ states: [[0, 'running'], [30, 'terminated']], onlineAtS: Infinity });
    const error = await failed(proveShell(gone.app, gone.provider, gone.machine(), { timeoutMs: 600_000 }));
    expect(error).toMatchObject({ code: 'machine-lost', exitCode: 2, message: 'i-1 is terminated' });
    expect(gone.seconds()).toBeLessThan(40);
  });
});

describe('waiting for a state', () => {
  test('R037 stopped means stopped, and a state that cannot lead there ends the wait at once', async () => {
    const stopping = cloud({ states: [[0, 'stopping'], [45, 'stopped']] });
    expect((await waitForState(stopping.app, stopping.provider, 'i-1', 'stopped', { timeoutMs: 300_000 })).state).toBe('stopped');
    const dying = cloud({ states: [[0, 'pending'], [3, 'terminated']] });
    expect(await failed(waitForState(dying.app, dying.provider, 'i-1', 'running', { timeoutMs: 300_000 }))).toMatchObject({ code: 'machine-lost', message: 'i-1 is terminated and will not become running' });
  });

  test('R037 D8 a timeout is kept in seconds, not in polls, and names the state', async () => {
    const stuck = cloud({ states: [[0, 'pending']] });
    const error = await failed(waitForState(stuck.app, stuck.provider, 'i-1', 'running', { timeoutMs: 60_000 }));
    expect(error).toMatchObject({ code: 'timeout', exitCode: 5 });
    expect(error.message).toContain('pending');
    expect(stuck.seconds()).toBeLessThanOrEqual(60);
    expect(stuck.seconds()).toBeGreaterThan(50);
  });

  test('polling is quick at first and never slower than five seconds', () => {
    const delays = pollDelays();
    const first = Array.from({ length: 20 }, () => delays.next().value);
    expect(first[0]).toBe(200);
    expect(Math.max(...first)).toBe(5000);
    expect(first.slice(0, 6).reduce((sum, ms) => sum + ms)).toBeLessThan(4000);
  });
});

describe('R115 failure and recovery: a cloud that cannot be asked for a while', () => {
  const request = { provider: 'aws', machineId: 'i-1', timeoutMs: 300_000, fromPending: true };
  test.each([
    ['throttled', new RunctlError('throttled', 'ec2 asks for fewer requests')],
    ['unreachable', new RunctlError('endpoint-unreachable', 'cannot reach ec2 in us-east-1')],
    ['with a clock of ours that was set', new RunctlError('credentials-rejected', 'skew', { data: { awsCode: 'RequestExpired' } })],
  ])('%s: waited for, told, and then as if nothing had been', async (_name, trouble) => {
    const slow = cloud({ states: [[0, 'pending'], [50, 'running']], onlineAtS: 90, trouble: (s) => (s > 5 && s < 40) || (s > 60 && s < 80) ? trouble : undefined });
    expect(await waitReady(slow.app, request)).toMatchObject({ ssm: 'connected' });
    expect(slow.events.some((event) => event.kind === 'step.progress' && event.detail === trouble.message)).toBe(true);
  });

  test('for longer than the timeout: the timeout, with the trouble as its cause', async () => {
    const away = cloud({ states: [[0, 'pending']], trouble: (s) => (s > 5 ? new RunctlError('endpoint-unreachable', 'cannot reach ec2 in us-east-1') : undefined) });
    expect(await failed(waitReady(away.app, request))).toMatchObject({ code: 'timeout', exitCode: 5, reason: 'cannot reach ec2 in us-east-1' });
  });

  test('a refusal that waiting does not mend ends the wait at once', async () => {
    const refused = cloud({ states: [[0, 'pending']], trouble: (s) => (s > 5 ? new RunctlError('not-permitted', 'no') : undefined) });
    expect((await failed(waitReady(refused.app, request))).code).toBe('not-permitted');
    expect(refused.seconds()).toBeLessThan(20);
  });

  test('R071 a machine that the cloud no longer knows is lost, not a wrong id', async () => {
    const gone = cloud({ onlineAtS: Infinity, unknownFromS: 30 });
    expect(await failed(waitReady(gone.app, request))).toMatchObject({ code: 'machine-lost', exitCode: 2, message: 'i-1 is gone' });
    expect(gone.seconds()).toBeLessThan(45);
  });

  test.each([-3, 3])('our clock is set %i hours while waiting: the timeout stays what it was', async (hours) => {
    const stuck = cloud({ states: [[0, 'pending']] });
    const [start, before] = [stuck.clock.monotonic(), stuck.clock.now()];
    let stepped = false;
    const provider = { ...stuck.provider, find: async (id: string) => {
      if (!stepped && stuck.clock.monotonic() - start > 20_000) stepped = Boolean(stuck.clock.step(hours * 3_600_000)) || true;
      return { ...(await stuck.provider.find(id))!, state: 'pending' as const };
    } };
    expect((await failed(waitForState(stuck.app, provider, 'i-1', 'running', { timeoutMs: 120_000 }))).code).toBe('timeout');
    expect(stuck.clock.monotonic() - start).toBeGreaterThan(110_000);
    expect(stuck.clock.monotonic() - start).toBeLessThanOrEqual(120_000);
    expect(Math.abs(stuck.clock.now() - before)).toBeGreaterThan(2 * 3_600_000);
  });
});

describe('wait and wait-ssm', () => {
  const request = { provider: 'aws', machineId: 'i-1', timeoutMs: 300_000 };

  test('R030 wait takes a pending machine to a proven one', async () => {
    const slow = cloud({ states: [[0, 'pending'], [10, 'running']], onlineAtS: 40 });
    expect(await waitReady(slow.app, { ...request, fromPending: true })).toMatchObject({ instanceId: 'i-1', state: 'running', ssm: 'connected' });
  });

  test('R029 R030 wait on a machine without a profile ends with running and says that SSM is not available', async () => {
    const none = cloud({ profile: null });
    expect(await waitReady(none.app, { ...request, fromPending: true })).toMatchObject({ state: 'running', ssm: 'none' });
    expect((await failed(waitReady(none.app, { ...request, fromPending: false }))).code).toBe('ssm-not-ready');
  });

  test('R031 wait-ssm wants a running machine and says what to type', async () => {
    const stopped = cloud({ states: [[0, 'stopped']] });
    expect(await failed(waitReady(stopped.app, { ...request, fromPending: false }))).toMatchObject({ code: 'wrong-state', hints: ['runctl aws start i-1 --wait'] });
    expect(await failed(waitReady(stopped.app, { ...request, machineId: 'i-2', fromPending: true }))).toMatchObject({ code: 'not-found' });
  });

  test('R080 while waiting, every poll is told', async () => {
    const slow = cloud({ states: [[0, 'pending'], [30, 'running']], onlineAtS: 60 });
    await waitReady(slow.app, { ...request, fromPending: true });
    const told = slow.events.flatMap((event) => (event.kind === 'step.progress' ? [event.elapsedMs] : []));
    expect(Math.max(...told.map((at, i) => at - (told[i - 1] ?? 0)))).toBeLessThanOrEqual(5000);
  });
});

test('R038 monitor five seconds after the start says that SSM still registers, and how to wait', async () => {
  const fresh = cloud({ onlineAtS: 60 });
  const error = await failed(monitor(fresh.app, { provider: 'aws', machineId: 'i-1', follow: false }).next());
  expect(error.code).toBe('ssm-not-ready');
  expect(error.message).not.toContain('service error');
  expect(error.hints).toContain('runctl aws wait-ssm i-1');
});
