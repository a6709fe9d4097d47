// Runs real guests in every isolation that this kernel allows: the same tests in each; what is not possible is skipped by name.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { worldClock } from '../clock.ts';
import type { GuestResult, MachineHost, MachineSpec } from '../cloud.ts';
import { installGuestFiles } from './guest-files.ts';
import { isAlive, readIdentity } from './guest-process.ts';
import { type HostAbilities, type Isolation, probeHost } from './isolation.ts';
import { type MachineHostOptions, openMachineHost } from './machine-host.ts';
import { runtimeDirectory } from './runtime-directory.ts';

const probeDirectory = mkdtempSync(join(tmpdir(), 'sim-probe-'));
const abilities: HostAbilities = await probeHost(installGuestFiles(probeDirectory));
rmSync(probeDirectory, { recursive: true });

const linux = process.platform === 'linux';
const MODES: { name: string; isolation: Isolation; userNamespace?: boolean; possible: boolean }[] = [
  { name: 'network', isolation: 'network', possible: abilities.network !== null },
  { name: 'network, unprivileged', isolation: 'network', userNamespace: true, possible: abilities.network !== null },
  { name: 'namespace', isolation: 'namespace', possible: abilities.namespace !== null },
  { name: 'process', isolation: 'process', possible: true },
];

function spec(index: number, userData?: string): MachineSpec {
  return { instanceId: `i-0000000000000000${index}`, hostname: `ip-172-31-0-${index}`, privateIp: `172.31.0.${index}`, region: 'us-east-1', userData };
}

/** Pids of whatever mentions the world in command line or environment: guests, and what they started. */
function processesOf(world: string): number[] {
  if (!linux) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return (readFileSync(`/proc/${name}/cmdline`, 'latin1') + readFileSync(`/proc/${name}/environ`, 'latin1')).includes(world);
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let round = 0; round < 1000; round++) {
    if (condition()) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`did not happen: ${what}`);
}

for (const { name, isolation, userNamespace, possible } of MODES) {
  describe.skipIf(!possible)(`isolation ${name}`, () => {
    const sealed = isolation !== 'process';
    let world: string;
    let server: Server;
    let port: number;
    let host: MachineHost;
    let options: MachineHostOptions;
    let down: string[];
    let sequence = 0;

    const run = (instance: MachineSpec, body: string, extra: { timeoutMs?: number; workingDirectory?: string } = {}) =>
      host.run(instance.instanceId, { id: `s-${++sequence}`, body, timeoutMs: extra.timeoutMs ?? 20_000, workingDirectory: extra.workingDirectory, env: { SSM_COMMAND_ID: 'c-1' } });
    const output = async (instance: MachineSpec, body: string): Promise<string> => (await run(instance, body).done).stdout.toString();
    const open = async (): Promise<void> => {
      host = await openMachineHost(options);
      host.onGuestDown((id) => down.push(id));
    };

    beforeEach(async () => {
      world = mkdtempSync(join(tmpdir(), 'sim-machine-'));
      down = [];
      const serverSocket = join(runtimeDirectory(world), 'server');
      server = createServer((request, response) => response.end(`cloud ${request.url}`));
      // The guest finds the cloud on the same port, by relay where it has a network of its own.
      port = await new Promise<number>((resolve) => {
        const tcp = createServer((request, response) => response.end(`cloud ${request.url}`));
        tcp.unref();
        tcp.listen(0, '127.0.0.1', () => resolve((tcp.address() as { port: number }).port));
      });
      await new Promise<void>((resolve) => server.listen(serverSocket, resolve));
      options = { world, clock: worldClock(world), serverPort: port, serverSocket, isolation, userNamespace, guestGraceMs: 300, metadata: (id) => (request, response) => response.end(`meta ${id} ${request.url}`) };
      await open();
    });

    afterEach(async () => {
      await host.close(true);
      server.close();
      server.closeAllConnections();
      expect(processesOf(world)).toEqual([]);
      rmSync(world, { recursive: true });
      rmSync(runtimeDirectory(world), { recursive: true, force: true });
    });

    test.skipIf(!sealed)('R202 ps inside sees only its own, under its own host name, as the first process', async () => {
      await host.boot(spec(1));
      const seen = await output(spec(1), 'hostname; for p in /proc/[0-9]*; do echo "${p#/proc/} $(tr "\\0" " " <$p/cmdline)"; done');
      const [hostname, first, ...others] = seen.trim().split('\n');
      expect(hostname).toBe('ip-172-31-0-1');
      expect(first).toMatch(/^1 .*guest-init\.py boot/);
      expect(others.filter((line) => !/_script\.sh|^\d+ $/.test(line))).toEqual([]);
      expect(await output(spec(1), 'cat /etc/hostname; getent passwd ec2-user || grep ec2-user /etc/passwd')).toBe('ip-172-31-0-1\nec2-user:x:1000:1000:EC2 Default User:/home/ec2-user:/bin/bash\n');
    });

    test('R202 two instances write the same paths without meeting, and the host sees neither', async () => {
      await Promise.all([host.boot(spec(1)), host.boot(spec(2))]);
      const paths = sealed ? ['/home/ec2-user/x', '/tmp/x', '/var/tmp/x', '/run/x', '/root/x', '/dev/shm/x'] : ['$HOME/x', '$TMPDIR/x'];
      for (const index of [1, 2]) expect(await output(spec(index), paths.map((path) => `echo ${index} > "${path}"`).join('\n'))).toBe('');
      for (const index of [1, 2]) expect(await output(spec(index), paths.map((path) => `cat "${path}"`).join('\n'))).toBe(`${index}\n`.repeat(paths.length));
      for (const path of ['/tmp/x', '/var/tmp/x', '/run/x', '/root/x', '/dev/shm/x', '/home/ec2-user/x']) expect(existsSync(path)).toBe(false);
    });

    test('R202 each sees its own metadata, and the cloud, with curl inside the guest', async () => {
      await Promise.all([host.boot(spec(1)), host.boot(spec(2))]);
      const base = isolation === 'network' ? 'http://169.254.169.254' : '$AWS_EC2_METADATA_SERVICE_ENDPOINT';
      for (const index of [1, 2]) expect(await output(spec(index), `curl -sf ${base}/latest/x`)).toBe(`meta ${spec(index).instanceId} /latest/x`);
      expect(await output(spec(1), `curl -sf http://127.0.0.1:${port}/abc`)).toBe('cloud /abc');
      expect(await output(spec(1), 'curl -sf $AWS_ENDPOINT_URL/def')).toBe('cloud /def');
    });

    test.skipIf(isolation !== 'network')('R202 has no other network', async () => {
      await host.boot(spec(1));
      const result = await run(spec(1), 'curl -sS -m 3 http://192.0.2.1/').done;
      expect(result.exitCode).toBe(7);
    });

    test.skipIf(isolation !== 'network')('R202 the proxy that it has is closed, and says how it is opened', async () => {
      await host.boot(spec(1));
      const { exitCode, stderr } = await run(spec(1), 'curl -sSv -m 3 https://pypi.org/').done;
      expect(exitCode).not.toBe(0);
      expect(stderr.toString()).toContain('403 machines of the built-in cloud have no way out; to open one: runctl sim stop, then runctl sim start --internet');
    });

    test('with the way out open it has the settings of pip here, in a file of its own user', async () => {
      await host.close(true);
      const home = mkdtempSync(join(tmpdir(), 'sim-home-'));
      mkdirSync(join(home, '.config/pip'), { recursive: true });
      writeFileSync(join(home, '.config/pip/pip.conf'), '[global]\nindex-url = https://index.test/simple\n');
      const before = { HOME: process.env['HOME'], PIP_RETRIES: process.env['PIP_RETRIES'], XDG_CONFIG_HOME: process.env['XDG_CONFIG_HOME'] };
      Object.assign(process.env, { HOME: home, PIP_RETRIES: '7' });
      delete process.env['XDG_CONFIG_HOME'];
      try {
        options = { ...options, internet: true };
        await open();
        await host.boot(spec(1));
        expect(await output(spec(1), 'h=${HOME:-/home/ec2-user}; cat $h/.config/pip/pip.conf; echo $PIP_RETRIES; ls -l $h/.config/pip/pip.conf | cut -c1-10')).toBe('[global]\nindex-url = https://index.test/simple\n7\n-rw-------\n');
      } finally {
        for (const [name, value] of Object.entries(before)) {
          if (value === undefined) delete process.env[name];
          else process.env[name] = value;
        }
        rmSync(home, { recursive: true });
      }
    });

    test.skipIf(!sealed)('the rest of the host is read-only, secrets of its homes are hidden, and so is the world', async () => {
      await host.boot(spec(1));
      mkdirSync(join(world, 'secret'));
      const result = await run(spec(1), `for d in / /etc /usr /home; do touch $d/probe && echo wrote $d; done; ls -a ${world}/secret /root/.aws /root/.ssh; exit 0`).done;
      // /home is the guest's own where ec2-user had to be made.
      expect(result.stdout.toString().replace('wrote /home\n', '')).toBe('');
      expect(existsSync('/home/probe')).toBe(false);
    });

    test('nothing of the host environment comes in; python3 and the agent\'s variables do', async () => {
      process.env['AWS_SECRET_ACCESS_KEY'] = 'host-secret';
      process.env['HTTPS_PROXY'] = 'http://host-proxy';
      try {
        await host.boot(spec(1));
        const names = (await output(spec(1), 'env | cut -d= -f1 | sort')).trim().split('\n');
        const expected = ['AWS_ENDPOINT_URL', 'PATH', 'PWD', 'PYTHONPATH', 'SSM_COMMAND_ID', ...(isolation === 'network' ? ['HTTPS_PROXY', 'NO_PROXY'] : ['AWS_EC2_METADATA_SERVICE_ENDPOINT']), ...(sealed ? [] : ['HOME', 'SIM_MACHINE', 'TMPDIR'])];
        expect(names.filter((each) => !['_', 'OLDPWD', 'SHLVL'].includes(each))).toEqual(expected.sort());
        if (isolation === 'network') expect(await output(spec(1), 'echo $HTTPS_PROXY')).toBe('http://127.0.0.1:3128\n');
        expect(await output(spec(1), 'python3 -c "print(6*7)"')).toBe('42\n');
      } finally {
        delete process.env['AWS_SECRET_ACCESS_KEY'];
        delete process.env['HTTPS_PROXY'];
      }
    });

    test('R203 the script is a file run by sh -c, so its #! line counts; without one it is sh', async () => {
      await host.boot(spec(1));
      expect(await output(spec(1), '#!/usr/bin/env python3\nprint(1+1)\n')).toBe('2\n');
      expect(await output(spec(1), 'echo "$0" | sed "s,.*/,,"; pwd')).toBe('_script.sh\n/usr/bin\n');
      expect(await output(spec(1), 'ls -l "$0" | cut -c1-10')).toBe('-rwx------\n');
      expect((await run(spec(1), 'false\ntrue').done).exitCode).toBe(0);
      expect((await run(spec(1), 'exit 7').done).exitCode).toBe(7);
      expect((await run(spec(1), 'pwd', { workingDirectory: '/' }).done).stdout.toString()).toBe('/\n');
      const nowhere = await run(spec(1), 'pwd', { workingDirectory: '/does/not/exist' }).done;
      expect([nowhere.exitCode, nowhere.stderr.toString()]).toEqual([1, 'chdir /does/not/exist: no such file or directory\n']);
    });

    test('R203 the end is the end of every holder of the output', async () => {
      await host.boot(spec(1));
      const result = await run(spec(1), '(sleep 0.3; echo late) &\necho early').done;
      expect(result.stdout.toString()).toBe('early\nlate\n');
    });

    test('R203 at the time limit the process group is killed, another session is not', async () => {
      await host.boot(spec(1));
      const result = await run(spec(1), 'setsid sh -c "sleep 0.7; echo survived > ${TMPDIR:-/tmp}/after" >/dev/null 2>&1 </dev/null &\n(sleep 0.6; echo bad > ${TMPDIR:-/tmp}/after-group) >/dev/null 2>&1 &\ntrap "echo trapped" TERM\necho begun; sleep 60', { timeoutMs: 400 }).done;
      expect(result).toMatchObject({ exitCode: 137, timedOut: true, killed: false });
      expect(result.stdout.toString()).toBe('begun\n');
      expect(await output(spec(1), 'for i in 1 2 3 4 5 6 7 8 9; do [ -e ${TMPDIR:-/tmp}/after ] && break; sleep 0.2; done; cd ${TMPDIR:-/tmp}; cat after; ls')).toBe('survived\nafter\n');
    });

    test('R203 a killed script ends with 137 although a session of its own holds the pipe', async () => {
      await host.boot(spec(1));
      const going = run(spec(1), 'setsid sleep 3 &\necho begun\nsleep 60');
      await until('output', () => readGuestFile(world, spec(1), `s-${sequence}/stdout`) === 'begun\n');
      going.kill();
      expect(await going.done).toMatchObject({ exitCode: 137, timedOut: false, killed: true });
    });

    test('much output does not hang and comes whole up to 8 MiB', async () => {
      await host.boot(spec(1));
      const result = await run(spec(1), 'head -c 3000000 /dev/zero; head -c 9000000 /dev/zero >&2').done;
      expect([result.stdout.length, result.stderr.length]).toEqual([3_000_000, 8 * 1024 * 1024]);
    });

    test('the disk outlives stop and start, /tmp does not, processes do not; user data runs once', async () => {
      const instance = spec(1, '#!/bin/sh\necho booted >> ${HOME:-/home/ec2-user}/user-data');
      await host.boot(instance);
      await until('user data', () => existsSync(join(world, 'machines', instance.instanceId, 'disk/ec2-user/user-data')));
      await output(instance, 'echo kept > ${HOME:-/home/ec2-user}/kept; echo lost > ${TMPDIR:-/tmp}/lost; setsid sleep 300 >/dev/null 2>&1 &');
      await host.shutdown(instance.instanceId, 200);
      expect(host.isUp(instance.instanceId)).toBe(false);
      expect(processesOf(instance.instanceId)).toEqual([]);
      expect(() => run(instance, 'true')).toThrow('not up');
      await host.boot(instance);
      expect(await output(instance, 'cd ${HOME:-/home/ec2-user}; cat kept user-data; ls ${TMPDIR:-/tmp}')).toBe('kept\nbooted\n');
      expect(down).toEqual([]);
    });

    test('an orderly shutdown lets processes end by themselves', async () => {
      await host.boot(spec(1));
      await output(spec(1), 'setsid sh -c \'trap "echo saved > ${HOME:-/home/ec2-user}/saved; exit" TERM; echo ready > ${HOME:-/home/ec2-user}/ready; while :; do sleep 0.05; done\' >/dev/null 2>&1 </dev/null &\nwhile ! [ -e ${HOME:-/home/ec2-user}/ready ]; do sleep 0.02; done');
      await host.shutdown(spec(1).instanceId, 5_000);
      expect(readFileSync(join(world, 'machines', spec(1).instanceId, 'disk/ec2-user/saved'), 'utf8')).toBe('saved\n');
    });

    test.each(['poweroff', 'shutdown -h now', 'shutdown -P +0', 'sudo shutdown -h now', 'systemctl poweroff', ...(sealed && existsSync('/sbin/shutdown') ? ['/sbin/shutdown -h now'] : [])])('%s inside takes this guest down, and nothing else', async (words) => {
      await Promise.all([host.boot(spec(1)), host.boot(spec(2))]);
      const last = run(spec(1), `${words}\nsleep 60`);
      await expect(last.done).rejects.toThrow('ended before its script did');
      await until('guest down', () => down.length > 0);
      expect(down).toEqual([spec(1).instanceId]);
      expect([host.isUp(spec(1).instanceId), host.isUp(spec(2).instanceId)]).toEqual([false, true]);
      expect(await output(spec(2), 'echo still here')).toBe('still here\n');
    });

    test('shutdown can be put off and called off; halt leaves the machine there, deaf', async () => {
      await host.boot(spec(1));
      expect((await run(spec(1), 'shutdown -h +5 && shutdown -c').done).exitCode).toBe(0);
      expect((await run(spec(1), 'shutdown -h soon').done).exitCode).toBe(1);
      expect((await run(spec(1), 'systemctl start x').done).exitCode).toBe(1);
      run(spec(1), 'halt; sleep 60');
      await until('halted', () => !host.isUp(spec(1).instanceId));
      expect(down).toEqual([]);
      expect(isAlive(readIdentity(join(world, 'machines', spec(1).instanceId))!)).toBe(true);
    });

    test('reboot, from inside and by the host, keeps the disk and loses the processes', async () => {
      await host.boot(spec(1));
      const before = readIdentity(join(world, 'machines', spec(1).instanceId))?.pid;
      await output(spec(1), 'echo kept > ${HOME:-/home/ec2-user}/kept');
      await expect(run(spec(1), 'reboot; sleep 60').done).rejects.toThrow('ended before');
      expect(await output(spec(1), 'cat ${HOME:-/home/ec2-user}/kept')).toBe('kept\n');
      await host.reboot(spec(1).instanceId, 100);
      expect(await output(spec(1), 'cat ${HOME:-/home/ec2-user}/kept')).toBe('kept\n');
      expect(readIdentity(join(world, 'machines', spec(1).instanceId))?.pid).not.toBe(before);
      expect(down).toEqual([]);
    });

    test('a guest whose first process is killed goes down with all it had', async () => {
      await host.boot(spec(1));
      await output(spec(1), 'setsid sleep 300 >/dev/null 2>&1 &');
      const pending = run(spec(1), 'sleep 300');
      process.kill(readIdentity(join(world, 'machines', spec(1).instanceId))!.pid, 'SIGKILL');
      await expect(pending.done).rejects.toThrow('ended before');
      await until('guest down', () => down.length > 0);
      expect(processesOf(spec(1).instanceId)).toEqual([]);
      await host.boot(spec(1));
      expect(await output(spec(1), 'echo back')).toBe('back\n');
    });

    test('R208 guests outlive the server: the next one adopts them, and finds what ended meanwhile', async () => {
      await Promise.all([host.boot(spec(1)), host.boot(spec(2))]);
      const going = host.run(spec(1).instanceId, { id: 'long', body: 'sleep 0.6; echo done', timeoutMs: 20_000, env: {} });
      void going.done.catch(() => undefined);
      host.run(spec(1).instanceId, { id: 'short', body: 'echo quick; exit 3', timeoutMs: 20_000, env: {} });
      await until('short ended', () => readGuestFile(world, spec(1), 'short/result.json') !== undefined);
      process.kill(readIdentity(join(world, 'machines', spec(2).instanceId))!.pid, 'SIGKILL');
      await host.close(false);
      await open();
      expect(await host.adopt([spec(1).instanceId, spec(2).instanceId, spec(3).instanceId])).toEqual([spec(1).instanceId]);
      expect(host.attach(spec(1).instanceId, 'never')).toBeUndefined();
      const results = await Promise.all(['short', 'long'].map((id) => host.attach(spec(1).instanceId, id)?.done));
      expect(results.map((result) => [result?.exitCode, result?.stdout.toString()])).toEqual([[3, 'quick\n'], [0, 'done\n']]);
      // Sent twice, run once.
      const again: GuestResult = await host.run(spec(1).instanceId, { id: 'short', body: 'echo twice', timeoutMs: 1000, env: {} }).done;
      expect(again.stdout.toString()).toBe('quick\n');
      const base = isolation === 'network' ? 'http://169.254.169.254' : '$AWS_EC2_METADATA_SERVICE_ENDPOINT';
      expect(await output(spec(1), `curl -sf ${base}/y`)).toBe(`meta ${spec(1).instanceId} /y`);
    });

    test('destroy leaves no process, socket, mount or file, and may be repeated', async () => {
      await host.boot(spec(1));
      await output(spec(1), 'mkdir -p ${HOME:-/home/ec2-user}/deep/er; setsid sleep 300 >/dev/null 2>&1 &');
      await host.destroy(spec(1).instanceId);
      await host.destroy(spec(1).instanceId);
      expect(existsSync(join(world, 'machines', spec(1).instanceId))).toBe(false);
      expect(readdirSync(runtimeDirectory(world)).filter((name) => name !== 'egress')).toEqual(['server']);
      expect(processesOf(world)).toEqual([]);
      if (linux) expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(world);
    });
  });
}

function readGuestFile(world: string, instance: MachineSpec, path: string): string | undefined {
  try {
    return readFileSync(join(world, 'machines', instance.instanceId, 'disk/ssm', path), 'utf8');
  } catch {
    return undefined;
  }
}

test('a guest survives kill -9 of the process that booted it', async () => {
  const world = mkdtempSync(join(tmpdir(), 'sim-kill-'));
  // A process of its own, ended the hard way right after the boot: it runs the bundle-free sources through vitest's own loader.
  const init = installGuestFiles(join(world, 'machines'));
  const directory = join(world, 'machines', 'i-1');
  mkdirSync(directory);
  const runtime = runtimeDirectory(world);
  const { prepareMachineFiles } = await import('./machine-files.ts');
  prepareMachineFiles(directory, spec(1), false);
  const config = { machine: directory, world, isolation: 'process', userNamespace: false, python: abilities.python, pythonPlaces: [], hostname: 'h', privateIp: '10.0.0.1', serverPort: 1, serverSocket: join(runtime, 's'), egressSocket: join(runtime, 'e'), egressPort: 3128, variables: {}, clock: join(world, 'clock'), controlSocket: join(runtime, 'i-1.c'), metadataSocket: join(runtime, 'i-1.m'), marker: 'kill-test', graceMs: 100, spec: spec(1) };
  writeFileSync(join(directory, 'boot.json'), JSON.stringify(config));
  const parent = spawn(process.execPath, ['-e', `require('child_process').spawn(${JSON.stringify(abilities.python)},['-I','-S',${JSON.stringify(init)},'boot',${JSON.stringify(join(directory, 'boot.json'))}],{detached:true,stdio:['ignore','pipe','ignore']}).stdout.once('data',()=>process.kill(process.pid,'SIGKILL'))`]);
  await new Promise((done) => parent.on('exit', done));
  const identity = readIdentity(directory)!;
  expect(isAlive(identity)).toBe(true);
  process.kill(identity.pid, 'SIGKILL');
  await until('gone', () => !isAlive(identity));
  rmSync(world, { recursive: true });
  rmSync(runtime, { recursive: true });
});

test('without a working python3 the host opens, and booting says what is missing', async () => {
  const world = mkdtempSync(join(tmpdir(), 'sim-nopython-'));
  const options = { world, clock: worldClock(world), serverPort: 1, serverSocket: '/nowhere', metadata: () => () => undefined };
  const host = await openMachineHost({ ...options, python: 'python3-that-is-not-there' });
  expect(host.isolation).toBe('process');
  await expect(host.boot(spec(1))).rejects.toThrow('python3-that-is-not-there not found');
  await host.close(true);
  rmSync(world, { recursive: true });
});

test('a runtime directory that is open to others is closed, or refused when it is not ours', () => {
  const world = mkdtempSync(join(tmpdir(), 'sim-runtime-'));
  const directory = runtimeDirectory(world);
  chmodSync(directory, 0o777);
  expect(runtimeDirectory(world)).toBe(directory);
  expect(execFileSync('ls', ['-ld', directory], { encoding: 'utf8' })).toMatch(/^drwx------/);
  rmSync(directory, { recursive: true });
  rmSync(world, { recursive: true });
});
