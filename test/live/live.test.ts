// The provider contract and the whole story against a real account, on request; without it one test is skipped, visibly.
// Every machine carries an owner tag of this run, is terminated whatever happens, and its cost is printed.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { realClock } from '../../src/app/clock.ts';
import { runningMicroUsdPerHour } from '../../src/core/machine.ts';
import { createAwsProvider } from '../../src/providers/aws/index.ts';
import { assembleSim } from '../../src/sim/assemble.ts';
import { type CliState, copyTraining, openState, runCli } from '../support/cli.ts';
import { providerContract } from '../support/provider-contract.ts';
import { HOW, type Switches, readSwitches } from './switches.ts';

const OWNER = `runctl-live-${randomBytes(4).toString('hex')}`;
type Env = Record<string, string>;

/** The environment that leads there, and its end. */
async function arrive({ endpoint, region }: Switches): Promise<{ env: Env; leave(): Promise<void> }> {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name, value]) => name.startsWith('AWS_') && value !== undefined)) as Env;
  // The commands run in a home of their own; the keys are in the caller's.
  const files = { AWS_SHARED_CREDENTIALS_FILE: join(homedir(), '.aws/credentials'), AWS_CONFIG_FILE: join(homedir(), '.aws/config') };
  const env: Env = { ...files, ...own, AWS_REGION: region };
  if (endpoint === undefined) return { env, leave: async () => undefined };
  if (endpoint !== 'sim') return { env: { AWS_ACCESS_KEY_ID: 'AKIALIVE', AWS_SECRET_ACCESS_KEY: 'live', ...own, AWS_REGION: region, AWS_ENDPOINT_URL: endpoint }, leave: async () => undefined };
  const directory = mkdtempSync(join(tmpdir(), 'runctl-live-'));
  const sim = await assembleSim({ directory, dial: 'instant', log: (line) => process.stderr.write(`sim: ${line}\n`) });
  const { accessKeyId, secretAccessKey } = sim.credentials();
  return {
    env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region, AWS_ENDPOINT_URL: sim.endpoint, HOME: directory },
    async leave() {
      await sim.close();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}

const switches = readSwitches(process.env);
if (switches === undefined) {
  test.skip(`R119 the contract and the whole story against a real account; to switch it on: ${HOW}`);
} else {
  const { type, profile, maxUsdPerHour, endpoint } = switches;
  const where = endpoint ?? `AWS in ${switches.region}`;
  const startedAt = Date.now();
  let usdPerHour = 0;
  const open = async () => {
    const { env, leave } = await arrive(switches);
    const provider = createAwsProvider({ owner: OWNER, clock: realClock, env });
    const priced = await provider.plan({ type, profile, tags: {} });
    const price = runningMicroUsdPerHour(priced.price);
    if (price === undefined || price / 1e6 > maxUsdPerHour) throw new Error(`${type} costs ${price === undefined ? 'nobody knows what' : `$${price / 1e6} an hour`}; RUNCTL_LIVE_MAX_USD_PER_HOUR allows $${maxUsdPerHour}`);
    usdPerHour = price / 1e6;
    const close = async (): Promise<void> => {
      for (const machine of await provider.list()) {
        await provider.terminate(machine.id);
        console.log(`live: ${machine.id} was left and is being terminated`);
      }
      provider.close();
      await leave();
    };
    return { env, provider, close };
  };

  providerContract(`R119 ${where}`, async () => {
    const { provider, close } = await open();
    return { provider, request: { type, profile, tags: { 'runctl:run': OWNER } }, unknownId: 'i-0123456789abcdef0', patienceMs: endpoint === undefined ? 300_000 : 30_000, close };
  });

  describe(`R119 the whole story on ${where}`, () => {
    let place: Awaited<ReturnType<typeof open>>;
    let state: CliState;
    beforeAll(async () => {
      place = await open();
      state = openState();
      copyTraining(state);
    }, 60_000);
    afterAll(async () => {
      await state?.close();
      await place?.close();
      const hours = (Date.now() - startedAt) / 3_600_000;
      console.log(`live: ${(hours * 60).toFixed(1)} minutes of ${type} at $${usdPerHour.toFixed(4)} an hour: at most $${(hours * usdPerHour).toFixed(4)} each machine`);
    }, 120_000);

    test(`R119 one command trains on ${where}, brings the results home and ends the machine`, async () => {
      const words = ['workflow', 'train', 'training/train_mnist_e2e.py', '--instance-type', type, '--iam-instance-profile', profile, '--yes', '--output', 'json', '--', '--epochs', '1'];
      const { code, stdout, stderr } = await runCli(words, { state, env: { ...place.env, HOME: state.env['HOME']!, RUNCTL_AWS_OWNER: OWNER }, timeoutMs: 1_200_000 });
      expect(code, stdout + stderr).toBe(0);
      const result = JSON.parse(stdout) as { instanceId: string; phase: string; exitCode: number; checkpoints: string[]; costUsd?: number };
      expect(result).toMatchObject({ phase: 'succeeded', exitCode: 0 });
      expect(result.checkpoints.length).toBeGreaterThan(0);
      console.log(`live: ${result.instanceId} trained; runctl says it cost $${result.costUsd?.toFixed(6) ?? '?'}`);
      expect((await place.provider.find(result.instanceId))?.state ?? 'terminated').toMatch(/shutting-down|terminated/);
      expect((await place.provider.list()).filter((machine) => machine.state !== 'shutting-down')).toEqual([]);
    }, 1_260_000);
  });
}
