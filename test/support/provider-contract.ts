// The suite that every provider must pass: run it with a provider in front of something that behaves (the built-in cloud always,
// an emulator as far as it goes, a real account by switch). It knows the ports only. Machines it made are terminated by it.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunctlError } from '../../src/core/errors.ts';
import type { Machine, MachinePlan, MachineRequest, MachineState } from '../../src/core/machine.ts';
import { runningMicroUsdPerHour } from '../../src/core/machine.ts';
import type { Provider, Shell } from '../../src/core/ports.ts';

export interface ContractPlace {
  provider: Provider;
  /** What to ask for; the machine must become reachable through its shell. */
  request: MachineRequest;
  /** An id of the right shape that no machine has. */
  unknownId: string;
  /** Longest time for any change of state, in real milliseconds. */
  patienceMs: number;
  close(): Promise<void>;
}

export function providerContract(name: string, open: () => Promise<ContractPlace>): void {
  describe(`provider contract: ${name}`, () => {
    let place: ContractPlace;
    let provider: Provider;
    let plan: MachinePlan;
    let machine: Machine;
    let found: Shell | undefined;
    const shell = (): Shell => {
      if (!found) throw new Error('no shell: no script ever came back from the machine');
      return found;
    };
    // SSM leaves HOME unset; the login user's directory is there on every image.
    const kept = '"${HOME:-/home/ec2-user}"/kept';
    const token = randomBytes(32).toString('hex');

    const until = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
      for (const deadline = Date.now() + place.patienceMs; Date.now() < deadline; ) {
        const found = await look();
        if (found !== undefined) return found;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`never happened: ${what}`);
    };
    const untilState = (id: string, state: MachineState): Promise<Machine> =>
      until(`${id} ${state}`, async () => {
        const now = await provider.find(id);
        return now?.state === state ? now : undefined;
      });
    const untilReady = (): Promise<Shell> =>
      until('shell answers', async () => {
        const hands = await provider.shell(machine);
        try {
          return (await hands.run('echo ready')).stdout === 'ready\n' ? hands : undefined;
        } catch (error) {
          if (error instanceof RunctlError && error.code === 'ssm-not-ready') return undefined;
          throw error;
        }
      });

    beforeAll(async () => {
      place = await open();
      provider = place.provider;
      plan = await provider.plan(place.request);
    }, 60_000);
    afterAll(async () => {
      if (machine) await provider.terminate(machine.id).catch(() => undefined);
      await place?.close();
    }, 60_000);

    test('a plan has no effect, states a price, and survives being written down', async () => {
      expect(await provider.list()).toEqual([]);
      expect(await provider.findByToken(token)).toBeUndefined();
      expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
      expect(plan).toMatchObject({ type: place.request.type, market: 'on-demand' });
      expect(plan.tags).toMatchObject(place.request.tags);
      expect(runningMicroUsdPerHour(plan.price)).toBeGreaterThan(0);
    });

    test('a rehearsal is allowed and creates nothing', async () => {
      await provider.rehearse(plan);
      expect(await provider.list()).toEqual([]);
    });

    test('R036 create makes one machine per token, also when it is asked again with the written-down plan', async () => {
      machine = await provider.create(plan, token);
      expect(machine).toMatchObject({ provider: provider.name, type: plan.type, region: plan.region, tags: place.request.tags });
      const again = await provider.create(JSON.parse(JSON.stringify(plan)) as MachinePlan, token);
      expect(again.id).toBe(machine.id);
      expect((await provider.findByToken(token))?.id).toBe(machine.id);
      expect((await provider.list()).map((one) => one.id)).toEqual([machine.id]);
      expect((await provider.find(machine.id))?.tags).toMatchObject(plan.tags);
    }, 60_000);

    test('a machine nobody has is undefined, and cannot be stopped', async () => {
      expect(await provider.find(place.unknownId)).toBeUndefined();
      await expect(provider.stop(place.unknownId)).rejects.toMatchObject({ code: 'not-found' });
    });

    test('R027 R029 it becomes running, says how its shell is doing, and then runs commands', async () => {
      machine = await untilState(machine.id, 'running');
      expect(machine.privateIp ?? machine.publicIp).toBeDefined();
      expect(['online', 'registering', 'unknown']).toContain((await provider.readiness(machine)).state);
      found = await untilReady();
      expect((await provider.readiness({ id: machine.id })).state).toMatch(/online|unknown/);
      expect((await provider.price(machine)).storageMicroUsd).toBe(plan.price.storageMicroUsd);
    }, 120_000);

    test('a script gives exit code, stdout and stderr, byte for byte', async () => {
      expect(await shell().run('printf "a\\nb"; echo err >&2; exit 3')).toEqual({ exitCode: 3, stdout: 'a\nb', stderr: 'err\n' });
      const odd = `'"\\$HOME {{ x }} %s é 数\ttab`;
      expect((await shell().run(`cat <<'EOT'\n${odd}\nEOT\n`)).stdout).toBe(`${odd}\n`);
      for (const code of [0, 1, 137, 168, 194]) expect((await shell().run(`exit ${code}`)).exitCode).toBe(code);
    }, 60_000);

    test('as much output and as long a script as declared come through whole', async () => {
      const line = 'x'.repeat(99);
      const bytes = Math.floor(shell().maxOutputBytes / 100) * 100;
      const { stdout } = await shell().run(`i=0; while [ $i -lt ${bytes / 100} ]; do echo ${line}; i=$((i+1)); done`);
      expect(Buffer.byteLength(stdout)).toBe(bytes);
      const script = `echo end\n#${'y'.repeat(shell().maxScriptBytes - 11)}\n`;
      expect(Buffer.byteLength(script)).toBe(shell().maxScriptBytes);
      expect((await shell().run(script)).stdout).toBe('end\n');
    }, 60_000);

    test('files stay between scripts, several scripts run side by side, a background child does not hold the answer', async () => {
      await shell().run(`mkdir -p ${kept} && echo data > ${kept}/file`);
      const answers = await Promise.all([1, 2, 3].map((n) => shell().run(`cat ${kept}/file; exit ${n}`)));
      expect(answers.map((answer) => [answer.exitCode, answer.stdout])).toEqual([[1, 'data\n'], [2, 'data\n'], [3, 'data\n']]);
      const startedAt = Date.now();
      await shell().run('sleep 60 >/dev/null 2>&1 </dev/null & echo started');
      expect(Date.now() - startedAt).toBeLessThan(20_000);
    }, 60_000);

    test('a script is ended by its timeout, and by its signal', async () => {
      await expect(shell().run('sleep 300', { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'timeout' });
      const controller = new AbortController();
      const run = shell().run('sleep 300', { signal: controller.signal });
      setTimeout(() => controller.abort(new Error('enough')), 300);
      await expect(run).rejects.toThrow('enough');
      expect((await shell().run('echo still here')).stdout).toBe('still here\n');
    }, 60_000);

    test('R036 R037 stop keeps the disk, start brings the machine back with it', async () => {
      expect((await provider.stop(machine.id)).state).toMatch(/stopping|stopped/);
      await untilState(machine.id, 'stopped');
      await expect(shell().run('true')).rejects.toMatchObject({ code: expect.stringMatching(/ssm-not-ready|machine-lost|wrong-state/) as string });
      expect((await provider.readiness((await provider.find(machine.id))!)).state).toBe('none');
      expect((await provider.start(machine.id)).state).toMatch(/pending|running/);
      machine = await untilState(machine.id, 'running');
      found = await untilReady();
      expect((await shell().run(`cat ${kept}/file`)).stdout).toBe('data\n');
    }, 120_000);

    test('R037 terminate ends it for good, may be repeated, and takes it off the list', async () => {
      expect((await provider.terminate(machine.id)).state).toMatch(/shutting-down|terminated/);
      await until('terminated', async () => {
        const now = await provider.find(machine.id);
        return now === undefined || now.state === 'terminated' ? true : undefined;
      });
      await provider.terminate(machine.id);
      expect((await provider.list()).filter((one) => one.state !== 'shutting-down')).toEqual([]);
      await expect(provider.start(machine.id)).rejects.toMatchObject({ code: expect.stringMatching(/wrong-state|not-found/) as string });
      expect((await provider.findByToken(token))?.state ?? 'terminated').toBe('terminated');
    }, 60_000);

    test('an unknown type is a usage error before anything exists', async () => {
      await expect(provider.plan({ ...place.request, type: 't3.mirco' })).rejects.toMatchObject({ code: 'usage' });
    });
  });
}
