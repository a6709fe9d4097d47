// What `status` and `monitor` say of a lease to somebody who comes only now.
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { leapingClock } from '../../../test/support/leaping-clock.ts';
import { leaseCommand } from '../../commands/aws/lease.ts';
import { statusCommand } from '../../commands/machine/status.ts';
import { RunctlError } from '../../core/errors.ts';
import { LEASE_TAG, type Lease, leaseWords } from '../../core/lease.ts';
import type { Machine } from '../../core/machine.ts';
import type { Provider } from '../../core/ports.ts';
import { createStyle } from '../../ui/style.ts';
import type { App } from '../app.ts';
import { monitor } from '../monitor.ts';
import { type StatusResult, status } from '../status.ts';
import { type LeaseResult } from './lease-change.ts';
import { endedByLease, leaseOutlook } from './lease-status.ts';

const START = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const LEASE: Lease = { allowedS: 28_800, limit: 'hours', hoursS: 28_800, rateMicroUsd: 18_734, idleS: 3600, graceS: 90, onEnd: 'stop' };
const plain = createStyle(false, false);

const machine = (over: Partial<Machine> = {}, lease: Lease | null = LEASE): Machine => ({
  id: 'i-1', provider: 'aws', type: 't3.micro', state: 'running', market: 'on-demand', region: 'us-east-1', firstLaunchedAt: START, launchedAt: START,
  tags: lease ? { [LEASE_TAG]: leaseWords(lease).join(' ') } : {}, ...over,
});
const off = { state: 'stopped', selfEnded: true, stateReason: 'shut down from inside the machine' } as const;

/** A cloud with one machine, which says `facts` when it is asked; without any it does not answer. */
function cloud(it: Machine, facts?: string[]): App {
  const provider = {
    name: 'aws', find: async () => it, price: async () => ({ computeMicroUsd: 10_400, storageMicroUsd: 0, addressMicroUsd: 0, source: 'test' }),
    readiness: async () => ({ channel: 'ssm', state: 'none', detail: 'not registered' }),
    shell: async () => ({
      channel: 'ssm', maxOutputBytes: 24_000, maxScriptBytes: 60_000,
      run: async () => {
        if (!facts) throw new RunctlError('ssm-not-ready', 'not registered');
        return { exitCode: 0, stdout: ['runctl-facts-begin', 'phase=none', ...facts, 'runctl-facts-end', ''].join('\n'), stderr: '' };
      },
    }),
  } as unknown as Provider;
  const clock = leapingClock(START + 10 * HOUR_MS);
  return { clock, signal: new AbortController().signal, cwd: tmpdir(), report() {}, provider: async () => provider, config: { aws: {}, sync: { exclude: [], include: [], max_direct_mb: 2 }, train: { patience_minutes: 1, hang_minutes: 0 } } } as unknown as App;
}
const ask = (it: Machine, facts?: string[]): Promise<StatusResult> => status(cloud(it, facts), { provider: 'aws', machineId: 'i-1' });
const row = (result: StatusResult): string | undefined => /^ +Lease: +(.*)$/m.exec(statusCommand('aws').text(result, plain) as string)?.[1];

describe('R223 status says what bounds a machine', () => {
  test.each([
    ['on', ['lease_state=on', 'lease_used=3600', 'lease_left=25200', 'lease_quiet=20', 'lease_idle=3600'], LEASE, { lease: 'on', leaseAllowedS: 28_800, leaseUsedS: 3600, leaseLeftS: 25_200, leaseIdleStopS: 3600 }, '7 h left of 8 h, or 60 min without progress; then it stops'],
    ['renewed: what the machine says counts', ['lease_state=on', 'lease_used=3600', 'lease_left=82800', 'lease_quiet=20', 'lease_idle=0'], LEASE, { leaseAllowedS: 86_400 }, '23 h left of 24 h; then it stops'],
    ['of a keeper that does not tell its idle time', ['lease_state=on', 'lease_used=60', 'lease_left=28740', 'lease_quiet=20'], LEASE, { leaseIdleStopS: 3600 }, '7 h 59 min left of 8 h, or 60 min without progress; then it stops'],
    ['ended only by idleness', ['lease_state=on', 'lease_used=60', 'lease_quiet=20', 'lease_idle=600'], { idleS: 600, graceS: 90, onEnd: 'terminate' } as Lease, { lease: 'on' }, '10 min without progress; then it terminates'],
    ['given to a machine that was bought without', ['lease_state=on', 'lease_used=3600', 'lease_left=3600', 'lease_quiet=2', 'lease_idle=0'], null, { leaseAllowedS: 7200 }, '60 min left of 2 h; then it powers off'],
    ['over', ['lease_state=ending', 'lease_used=28800', 'lease_left=60', 'lease_quiet=2', 'lease_idle=0', 'lease_reason=hours'], LEASE, { lease: 'ending', leaseReason: 'hours' }, 'over: it stops in 60 s'],
    ['lifted', ['lease_state=off', 'lease_used=28800', 'lease_quiet=2', 'lease_idle=0'], LEASE, { lease: 'off' }, 'lifted: it runs and costs until somebody ends it'],
    ['none', [], null, { lease: 'none' }, 'none: it runs and costs until somebody ends it'],
    ['machine does not answer: as it was bought', undefined, LEASE, { lease: 'on', leaseAllowedS: 28_800 }, '8 h in all, or 60 min without progress; then it stops'],
    ['machine does not answer and was bought without: nobody knows', undefined, null, {}, undefined],
  ])('R223 %s', async (_name, facts, lease, fields, text) => {
    const result = await ask(machine({}, lease), facts);
    expect(result).toMatchObject(fields);
    if (text === undefined) expect(result).not.toHaveProperty('lease');
    expect(row(result)).toBe(text);
  });

  test('R223 R086 of a machine that its lease ended it says so, with the commands to go on', async () => {
    const stopped = await ask(machine(off, { ...LEASE, idleS: 0 }));
    expect(stopped).toMatchObject({ state: 'stopped', lease: 'ended', leaseReason: 'hours', leaseEnded: 'after 8 h', leaseFix: ['runctl aws start i-1 --wait', 'runctl aws lease i-1 --max-hours 16'] });
    expect(row(stopped)).toBe('ended it, after 8 h; try runctl aws start i-1 --wait, then runctl aws lease i-1 --max-hours 16');
    // A spot machine is bought anew on the spot market.
    expect(await ask(machine({ ...off, state: 'terminated', market: 'spot' }, { ...LEASE, idleS: 0 }))).toMatchObject({ lease: 'ended', leaseFix: ['runctl aws create t3.micro --spot --max-hours 16 --wait'] });
    expect(await ask(machine(off, null))).not.toHaveProperty('lease');
  });

  test('R223 too young for its hours: it was its idleness, and before that none of both', () => {
    const at = (hours: number) => endedByLease(machine(off), START + hours * HOUR_MS);
    expect(at(9)).toMatchObject({ lease: LEASE });
    expect(at(2)).toMatchObject({ reason: 'idle' });
    expect(at(0.5)).toBeUndefined();
    expect(endedByLease(machine({ ...off, selfEnded: false }), START + 9 * HOUR_MS)).toBeUndefined();
    expect(leaseOutlook(machine(off), undefined, START + HOUR_MS / 2)).toBeUndefined();
  });
});

describe('who comes later hears what those heard who watched', () => {
  const error = (it: Machine): Promise<unknown> => monitor(cloud(it), { provider: 'aws', machineId: 'i-1', follow: true }).next().then(() => expect.unreachable(), (thrown: unknown) => thrown);

  test('R087 of a spot machine that was taken back, and the way on is spot again', async () => {
    const taken = machine({ state: 'terminated', market: 'spot', interrupted: true, stateReason: 'taken back by AWS' }, null);
    expect(await error(taken)).toMatchObject({ code: 'machine-lost', exitCode: 2, message: 'i-1 is terminated', hints: ['runctl aws create t3.micro --spot --wait', 'runctl runs list'] });
  });

  test('R086 of a machine that its lease ended; one that somebody ended is in the wrong state', async () => {
    expect(await error(machine(off))).toMatchObject({ code: 'lease-ended', exitCode: 2, hints: [expect.stringMatching(/^runctl aws start i-1 --wait/), expect.stringMatching(/^runctl aws lease i-1/)] });
    expect(await error(machine({ state: 'terminated', market: 'spot' }))).toMatchObject({ code: 'wrong-state', exitCode: 1, hints: ['runctl aws create t3.micro --spot --wait'] });
  });
});

test.each<[Partial<LeaseResult>, string]>([
  [{ limit: 'hours', maxHours: 8 }, '8 h'],
  [{ limit: 'cost', maxHours: 24, maxCostUsd: 0.15 }, '8 h (what $0.15 buys)'],
  [{ limit: 'hours', maxHours: 8, maxCostUsd: 5 }, '8 h ($5.00 would last longer)'],
])('R223 aws lease says once what is allowed (%j)', (bounds, allowed) => {
  const text = leaseCommand.text!({ instanceId: 'i-1', lease: 'on', kept: true, graceS: 90, onEnd: 'stop', allowedS: 28_800, usedS: 60, leftS: 28_740, ...bounds } as LeaseResult, plain) as string;
  expect(/Allowed: +(.*)$/m.exec(text)?.[1]).toBe(allowed);
});
