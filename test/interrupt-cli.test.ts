// Ctrl-C and its kin as a shell sends them to the real program: the first lets it clean up, the second leaves at once, and what
// is left is named either way. A reader that goes away is an interruption of a story, and no reason to leave a machine behind.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CliState, openState, runCli, runShell } from './support/cli.ts';

const LONG = 'import time\nprint("ready", flush=True)\nwhile True: time.sleep(0.05)\n';
/** Deaf to SIGTERM: stopping it takes the whole grace, and a second Ctrl-C comes before that. */
const DEAF = `import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n${LONG}`;
/** waits for TEXT in the program's stderr */
const UNTIL = 'until_seen() { i=0; until grep -qs "$1" err; do i=$((i+1)); [ $i -lt 1200 ] || exit 99; sleep 0.05; done; }\n';

/** One cloud for all: each test ends the machines that it makes. */
let state: CliState;
beforeAll(() => {
  state = openState();
});
afterAll(() => state?.close());

const project = (script: string): void => {
  writeFileSync(join(state.project, 'pyproject.toml'), '[project]\nname = "digits"\n');
  writeFileSync(join(state.project, 'long.py'), script);
  // What the program of the test before said is not to be taken for this one's.
  rmSync(join(state.project, 'err'), { force: true });
};
const stderrOf = (): string => readFileSync(join(state.project, 'err'), 'utf8');
const machines = async (): Promise<Record<string, number>> => (JSON.parse((await runCli(['sim', 'status', '--output', 'json'], { state })).stdout) as { instances?: Record<string, number> }).instances ?? {};
const alive = async (): Promise<string[]> => Object.keys(await machines()).filter((name) => name !== 'terminated' && name !== 'shutting-down');

describe('the first signal', () => {
  test.each(['INT', 'TERM', 'HUP'])('SIG%s to a workflow: results rescued, machine terminated, exit code 130', async (signal) => {
    project(LONG);
    const { code } = await runShell(`${UNTIL}runctl workflow train long.py --no-install --sim 2>err & until_seen ready; kill -${signal} $!; wait $!`, { state, timeoutMs: 100_000 });
    expect(code, stderrOf()).toBe(130);
    expect(stderrOf()).toMatch(/interrupted: .* will be terminated\. Ctrl-C again leaves at once/);
    expect(stderrOf()).toMatch(/error: .*interrupted by (Ctrl-C|SIGTERM|SIGHUP)\n {2}Nothing is left running\./);
    expect(await alive()).toEqual([]);
  }, 120_000);

  test('train --wait: the job goes on; monitor finds it', async () => {
    project('import time\nprint("ready", flush=True)\ntime.sleep(2)\nprint("went on")\n');
    const id = (await runCli(['aws', 'create', 't3.micro', '--iam-instance-profile', 'runctl-ssm-profile', '--wait', '--sim', '--output', 'instance-id'], { state })).stdout.trim();
    const { code } = await runShell(`${UNTIL}runctl aws train ${id} long.py --no-install --wait --sim 2>err & until_seen ready; kill -INT $!; wait $!`, { state, timeoutMs: 100_000 });
    expect(code, stderrOf()).toBe(130);
    expect(stderrOf()).toMatch(new RegExp(`The training run-\\S+ goes on on ${id}\\. ${id} goes on running and costs \\$0\\.0\\d+ an hour\\.`));
    expect(stderrOf()).toContain(`runctl aws monitor ${id} --follow`);
    const followed = await runCli(['aws', 'monitor', id, '--follow', '--sim'], { state });
    expect(followed).toMatchObject({ code: 0, stdout: 'ready\nwent on\n' });
    expect((await runCli(['aws', 'terminate', id, '--no-fetch', '--yes', '--sim'], { state })).code).toBe(0);
  }, 120_000);
});

test('a second Ctrl-C leaves at once, names the machine, its price and the command that ends it; the ledger knows', async () => {
  project(DEAF);
  const { code } = await runShell(`${UNTIL}runctl workflow train long.py --no-install --sim 2>err & until_seen ready; kill -INT $!; until_seen interrupted; sleep 0.1; kill -INT $!; wait $!`, { state, timeoutMs: 100_000 });
  expect(code, stderrOf()).toBe(130);
  const [, id] = /left at once\n {2}.*?(i-[0-9a-f]{17}) goes on running and costs \$0\.0\d+ an hour\./.exec(stderrOf()) ?? [];
  expect(id, stderrOf()).toBeDefined();
  expect(stderrOf()).toMatch(new RegExp(`Try:\n {2}runctl aws terminate ${id} --wait --sim\n`));
  const [run] = (JSON.parse((await runCli(['runs', 'list', '--output', 'json'], { state })).stdout) as { runs?: { state: string }[] }).runs ?? (JSON.parse((await runCli(['runs', 'list', '--output', 'json'], { state })).stdout) as { state: string }[]);
  expect(run).toMatchObject({ state: 'interrupted' });
  expect(await alive()).toEqual(['running']);
  expect((await runCli(['aws', 'terminate', id!, '--wait', '--yes', '--sim'], { state, env: { RUNCTL_TRAIN_STOP_GRACE_SECONDS: '1' } })).code).toBe(0);
  expect(await alive()).toEqual([]);
}, 120_000);

test('a reader that goes away in the middle of a workflow: its machine is not left behind', async () => {
  project(LONG);
  await runShell('{ runctl workflow train long.py --no-install --sim --output jsonl 2>err; echo $? >code; } | grep -m 1 log.line >seen', { state });
  expect(readFileSync(join(state.project, 'code'), 'utf8').trim(), stderrOf()).toBe('130');
  expect(stderrOf()).toContain('nobody reads the output any more');
  expect(await alive()).toEqual([]);
}, 120_000);

test('a terminal that is closed under a workflow: progress that nobody can read ends nothing', async () => {
  project('import time\nfor i in range(20):\n    print("line", i, flush=True)\n    time.sleep(0.05)\n');
  const { stdout } = await runShell('{ runctl workflow train long.py --no-install --sim 2>&1 >out; echo $? >code; } | head -n 3; cat code out', { state });
  expect(stdout).toMatch(/\n0\nTraining succeeded/);
  expect(await alive()).toEqual([]);
}, 120_000);
