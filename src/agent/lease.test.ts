// Guard and keeper of a lease as real processes on a machine that is a directory: what they arm, write down, end and power off.
// `shutdown` and its kin are stand-ins that write down how they were called. How much time that is in all: test/lease-property.test.ts.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Box, until, which } from '../../test/support/agent-box.ts';
import type { Lease } from '../core/lease.ts';
import leaseSh from './agent-lease.sh?raw';
import agentSh from './agent.sh?raw';
import guardSh from './guard.sh?raw';
import placeSh from './lease-place.sh?raw';
import { parseLease, renderBootScript, renderLease, renderLeaseShow } from './lease.ts';

const HOUR: Lease = { allowedS: 3600, limit: 'hours', hoursS: 3600, idleS: 0, graceS: 90, onEnd: 'stop', rateMicroUsd: 18_700 };
/** Over in a moment. */
const SHORT: Lease = { allowedS: 2, limit: 'cost', idleS: 0, graceS: 1, onEnd: 'terminate' };

let box: Box;
let place: string;
beforeEach(() => {
  box = new Box();
  place = join(box.home, '.runctl-lease');
  const bin = join(box.root, 'off');
  mkdirSync(bin);
  for (const name of ['shutdown', 'poweroff', 'systemctl', 'systemd-run']) {
    writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*" >>${join(box.root, 'power')}\n${name === 'systemd-run' ? 'exit 1' : `[ ! -f ${join(box.root, 'refuse')} ]`}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  box.path = `${bin}:${box.path}`;
});
afterEach(async () => {
  kill('ticker');
  kill('keeper');
  // A loop that was about to start a keeper has done so by then.
  await until('the lease to be let go', async () => (kill('keeper') ? undefined : true));
  await box.remove();
});

const read = (name: string): string | undefined => (existsSync(join(place, name)) ? readFileSync(join(place, name), 'utf8').trim() : undefined);
const power = (): string[] => (existsSync(join(box.root, 'power')) ? readFileSync(join(box.root, 'power'), 'utf8').trim().split('\n') : []).filter((line) => line !== 'shutdown -c' && !line.startsWith('systemctl stop') && !line.startsWith('systemd-run'));

/** Ends it with its children; false when it did not live. */
function kill(name: 'ticker' | 'keeper'): boolean {
  const pid = Number(read(name) ?? 0);
  if (pid < 2) return false;
  const mine = spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).stdout;
  if (!mine.includes(place)) return false;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    process.kill(pid, 'SIGKILL');
  }
  return true;
}

async function boot(lease: Lease): Promise<void> {
  const { exitCode, stderr } = await box.run(renderBootScript(lease));
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  await until('the loop', async () => read('ticker'));
}
const hold = async (lease: Lease, how: 'hold' | 'set' = 'hold', on = true) => parseLease(await box.run(renderLease(how, lease, { on })));

describe('the guard', () => {
  test('R223 user data arms a power-off at every boot, minus what was used before, with no agent there', async () => {
    await boot(HOUR);
    expect(power()).toEqual(['shutdown -h +62']); // 3600 + 90 + 30 s, less the 30 of the boot, in whole minutes
    expect(read('used')).toBe('30'); // nobody counted while it booted
    expect(read('lease.py')).toBeUndefined();
    kill('ticker');
    writeFileSync(join(place, 'used'), '1000\n');
    await boot(HOUR);
    expect(read('used')).toBe('1060'); // a minute for the start
    expect(power().at(-1)).toBe('shutdown -h +45'); // (3720 - 1060) / 60, rounded up
  });

  test('R223 started after its end it has a quarter of an hour, once for each start; rebooted in mid-end it has none', async () => {
    await boot(HOUR);
    kill('ticker');
    writeFileSync(join(place, 'used'), '3710\n');
    await boot(HOUR);
    expect(power().at(-1)).toBe('shutdown -h +1');
    kill('ticker');
    writeFileSync(join(place, 'ended'), 'reason=hours\nused=3710\n');
    await boot(HOUR);
    expect(read('ended')).toBeUndefined();
    expect(power().at(-1)).toBe('shutdown -h +17'); // 900 + 90 + 30 s
  });

  test('R223 a count that a crash left empty falls back to that of the last boot; nonsense is not believed', async () => {
    await boot(HOUR);
    kill('ticker');
    writeFileSync(join(place, 'floor'), '600\n');
    writeFileSync(join(place, 'used'), '');
    await boot(HOUR);
    expect(read('used')).toBe('660');
  });

  test('R223 its own loop powers off when neither timer nor keeper did, and starts a keeper that died', async () => {
    await boot({ ...SHORT, graceS: 0, allowedS: 1 });
    // off_after is 31 s; the loop believes what is written down.
    const lease = readFileSync(join(place, 'lease'), 'utf8');
    writeFileSync(join(place, 'lease'), lease.replace('off_after=31', 'off_after=1'));
    await until('the loop to power off', async () => (power().some((line) => line === 'shutdown -h now') ? true : undefined));
    expect(read('ended')).toMatch(/^reason=time\nused=\d+$/);
  });

  test('R223 so early in a boot that nobody takes the timer: the loop tries again until somebody does', async () => {
    writeFileSync(join(box.root, 'refuse'), '');
    await boot({ ...HOUR, allowedS: 39 });
    expect(read('armed')).toBeUndefined();
    rmSync(join(box.root, 'refuse'));
    await until('the timer', async () => read('armed'));
    expect(power().filter((line) => line.startsWith('shutdown -h +')).length).toBeGreaterThan(1);
  });

  test('the boot script is small, is no secret, and holds nothing that SSM or shellcheck would mind', () => {
    const script = renderBootScript(HOUR);
    expect(script.startsWith('#cloud-boothook\n#!/bin/sh\n')).toBe(true);
    expect(Buffer.byteLength(script)).toBeLessThan(16_384);
    expect(script).not.toContain('{'.repeat(2));
    if (which('shellcheck') === undefined) return;
    for (const source of [placeSh, guardSh, `${agentSh}\n${leaseSh}`]) expect(spawnSync('shellcheck', ['-s', 'sh', '-'], { input: source, encoding: 'utf8' }).stdout).toBe('');
  });
});

describe('the keeper', () => {
  test('R223 R086 a training that ignores SIGTERM is killed after its grace, the machine powers off, and why is written down', async () => {
    const runId = await box.start('import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: print("no", flush=True))\nprint("on", flush=True)\nwhile True: time.sleep(0.05)\n');
    expect(await hold(SHORT)).toMatchObject({ state: 'on', kept: true, lease: SHORT });
    await until('the power-off', async () => (power().includes('shutdown -h now') ? true : undefined));
    expect(read('ended')).toMatch(/^reason=cost\nused=\d+\nruns=.*run-/);
    const status = await box.status(runId);
    expect(status).toMatchObject({ phase: 'failed', exitCode: 137, endedByLease: 'cost', lease: { state: 'ending', reason: 'cost' } });
    expect(box.read(runId, 'training.log')).toContain('no');
  });

  test('R223 a longer lease in mid-run is taken up at once; one that is lifted bounds nothing; what is there already stays', async () => {
    await boot(HOUR);
    expect(await hold(HOUR)).toMatchObject({ state: 'on', leftS: expect.any(Number) });
    const longer = { ...HOUR, allowedS: 7200, hoursS: 7200 };
    const renewed = await hold(longer, 'set');
    expect(renewed.lease).toEqual(longer);
    expect(renewed.leftS).toBeGreaterThan(7000);
    expect(power().at(-1)).toMatch(/^shutdown -h \+12[12]$/);
    expect((await hold(HOUR)).lease).toEqual(longer);
    expect(await hold(longer, 'set', false)).toMatchObject({ state: 'off' });
    expect(readFileSync(join(box.root, 'power'), 'utf8').trim().split('\n').at(-1)).toBe('shutdown -c');
    expect(parseLease(await box.run(renderLeaseShow()))).toMatchObject({ state: 'off', kept: true, lease: longer });
  });

  test('R223 killed, it is started again by the loop and goes on counting where it was', async () => {
    await boot({ ...HOUR, allowedS: 30 });
    await hold(HOUR);
    const first = read('keeper');
    expect(kill('keeper')).toBe(true);
    await until('another keeper', async () => (read('keeper') !== first && read('facts')?.includes('lease_state=on') ? true : undefined));
    expect(Number(read('used'))).toBeGreaterThan(0);
  });

  test('R086 nothing to do and nothing moving is idle; a script that only turns in circles is too, a little later', async () => {
    await box.start('while True: pass\n');
    await hold({ idleS: 1, graceS: 0, onEnd: 'stop' });
    await until('the power-off', async () => (power().includes('shutdown -h now') ? true : undefined));
    expect(read('ended')).toMatch(/^reason=idle/);
  });

  test('without a lease a machine has nothing of it, and says so', async () => {
    expect(parseLease(await box.run(renderLeaseShow()))).toEqual({ state: 'none' });
    expect(existsSync(place)).toBe(false);
    rmSync(place, { recursive: true, force: true });
    expect(readdirSync(box.home)).toEqual([]);
  });
});
