// Real guests in the world's time, in every isolation that this kernel allows: what follows it, and what is left alone.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MachineHost, MachineSpec } from '../cloud.ts';
import { type WorldClock, worldClock } from '../clock.ts';
import { installGuestFiles } from './guest-files.ts';
import { type Isolation, probeHost } from './isolation.ts';
import { openMachineHost } from './machine-host.ts';
import { runtimeDirectory } from './runtime-directory.ts';

const probeDirectory = mkdtempSync(join(tmpdir(), 'sim-probe-'));
const abilities = await probeHost(installGuestFiles(probeDirectory));
rmSync(probeDirectory, { recursive: true });

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const MACHINE: MachineSpec = { instanceId: 'i-0000000000000a71e', hostname: 'ip-172-31-0-1', privateIp: '172.31.0.1', region: 'us-east-1' };
const MODES: { isolation: Isolation; possible: boolean }[] = [
  { isolation: 'network', possible: abilities.network !== null },
  { isolation: 'namespace', possible: abilities.namespace !== null },
  { isolation: 'process', possible: true },
];

for (const { isolation, possible } of MODES) {
  describe.skipIf(!possible)(`isolation ${isolation}`, () => {
    let world: string;
    let clock: WorldClock;
    let host: MachineHost;
    let downAt: number[];
    let jumps: boolean;
    let sequence = 0;

    const output = async (body: string): Promise<string> => {
      const { stdout, stderr } = await host.run(MACHINE.instanceId, { id: `s-${++sequence}`, body, timeoutMs: 20_000, env: {} }).done;
      return stdout.toString() + stderr.toString();
    };
    const numbers = async (body: string): Promise<number[]> => (await output(body)).trim().split('\n').map(Number);

    beforeEach(async () => {
      world = mkdtempSync(join(tmpdir(), 'sim-time-'));
      [jumps, downAt] = [false, []];
      clock = worldClock(world, () => !jumps);
      host = await openMachineHost({ world, clock, serverPort: 1, serverSocket: join(runtimeDirectory(world), 'server'), isolation, guestGraceMs: 300, metadata: () => () => undefined });
      host.onGuestDown(() => downAt.push(clock.now()));
      await host.boot(MACHINE);
    });

    afterEach(async () => {
      await host.close(true);
      clock.close();
      rmSync(world, { recursive: true });
      rmSync(runtimeDirectory(world), { recursive: true, force: true });
    });

    test('R206 date, stat and Python, also of a virtual environment, tell world time; what is about other moments is left alone', async () => {
      expect(Math.abs((await numbers('python3 -c "import time; print(time.time())"'))[0]! * 1000 - Date.now())).toBeLessThan(2_000);
      jumps = true;
      await clock.skip(100 * HOUR_MS);
      const seconds = await numbers(`cd "\${TMPDIR:-/tmp}"; echo x >log; python3 -m venv --without-pip own
date +%s; date -u -Iseconds | sed 's/+.*/Z/' | { read at; date -d "$at" +%s; }; stat -c %Y log
python3 -c 'import time, datetime; print(time.time()); print(time.time_ns() / 1e9); print(datetime.datetime.now().timestamp()); print(datetime.datetime.now(datetime.timezone.utc).timestamp())'
python3 -c 'import time, calendar; print(calendar.timegm(time.gmtime())); print(time.mktime(time.strptime(time.ctime())))'
own/bin/python -c 'import time; print(time.time())'`);
      for (const each of seconds) expect(Math.abs(each * 1000 - clock.now())).toBeLessThan(5_000);
      expect(seconds).toHaveLength(10);
      expect((await numbers('date -d @86400 +%s'))[0]).toBe(86_400);
      expect(Math.abs((await numbers('python3 -I -c "import time; print(time.time())"'))[0]! * 1000 - Date.now())).toBeLessThan(2_000);
      expect(await output(`python3 -c 'import datetime, pickle, sys, os
now = datetime.datetime.now()
assert pickle.loads(pickle.dumps(now)) == now and isinstance(now, datetime.date) and isinstance(now + datetime.timedelta(1), datetime.datetime)
assert datetime.datetime.fromisoformat("2026-01-01T00:00:00").isoformat() == "2026-01-01T00:00:00"
assert os.environ["PYTHONPATH"] not in sys.path
print("fine")'`)).toBe('fine\n');
    });

    test.skipIf(isolation === 'namespace')('R206 sleep waits for world time and wakes on a skip, in the shell and in Python, whenever they fell asleep', async () => {
      const sleepers = [output('sleep 10m 300 && date +%s'), output(`python3 -c 'import time; began = time.monotonic(); time.sleep(900); print(time.time()); print(time.monotonic() - began)'`)];
      await output('sleep 0.3');
      const startedAt = clock.now();
      await clock.skip(20 * MINUTE_MS);
      const [shell, python] = (await Promise.all(sleepers)).map((text) => text.trim().split('\n').map(Number));
      for (const woke of [shell![0]!, python![0]!]) {
        // They slept for 15 of the 20 minutes: neither past the end of the skip nor at once.
        expect(woke * 1000 - startedAt).toBeGreaterThan(14.9 * MINUTE_MS);
        expect(woke * 1000 - startedAt).toBeLessThan(20 * MINUTE_MS + 30_000);
      }
      expect(python![1]).toBeGreaterThanOrEqual(900);
      clock.setRate(600);
      const [from, to] = (await numbers('date +%s; sleep 2m; date +%s')) as [number, number];
      expect(to - from).toBeGreaterThanOrEqual(119);
      expect((await output('sleep; sleep 1x; sleep 0; sleep 00.05 && echo awake')).split('\n').filter((line) => /missing operand|invalid|usage|awake/.test(line)).length).toBeGreaterThanOrEqual(2);
    });

    test.skipIf(isolation === 'namespace')('R206 shutdown -h +N goes off at its moment of world time, in the middle of a skip and at any rate', async () => {
      const before = clock.now();
      await output('shutdown -h +2; shutdown -c; shutdown -h +5');
      await clock.skip(10 * MINUTE_MS);
      expect(downAt).toHaveLength(1);
      const off = downAt[0]! - before;
      expect(off).toBeGreaterThanOrEqual(5 * MINUTE_MS - 1);
      expect(off).toBeLessThan(5 * MINUTE_MS + 5_000);
      await host.boot(MACHINE);
      clock.setRate(600);
      await output('shutdown -h +5');
      for (let round = 0; round < 300 && downAt.length < 2; round++) await new Promise((done) => setTimeout(done, 10));
      expect(downAt).toHaveLength(2);
    });
  });
}
