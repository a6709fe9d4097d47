// How much longer than it must a command takes that waits for a cloud: `create --wait`, `train --wait` and `workflow train` against a
// private sim with realistic delays (dial realistic: boots, SSM registration, 60 ms for each request), beside the sum of the delays
// that nobody can avoid. Counts the API calls too. Not a test: a missed goal fails only with --strict.
// `node bench/waiting.mjs [--strict] [--json FILE] [--job SECONDS]`
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MAIN, startPrivateSim } from '../test/conformance/private-sim.mjs';

const { values: options } = parseArgs({ options: { strict: { type: 'boolean', default: false }, json: { type: 'string' }, job: { type: 'string', default: '10' } } });
const GOAL = 1.25;
const jobS = Number(options.job);
if (!(jobS > 0)) {
  console.error(`--job ${options.job} is no number of seconds`);
  process.exit(1);
}

/** Seconds; the dial `realistic` of src/sim/dial.ts. */
const D = { call: 0.06, pending: 12, ssmOnline: 25, invocationVisible: 0.7, shuttingDown: 25 };
/** A script over SSM and its answer: send, wait until SSM knows the invocation (the script runs meanwhile), read. */
const SCRIPT_S = D.call + D.invocationVisible + D.call;
/** Ask what there is to choose from, create, boot, see it run; the agent registers; prove that a command comes back. */
const CREATE_S = D.call + D.call + D.pending + D.call + D.ssmOnline + SCRIPT_S;
/** Code there and started by one script, the job, its exit record (asked for while it runs: only the answer's way), results by one more. */
const JOB_S = SCRIPT_S + jobS + D.call + SCRIPT_S;

const sim = startPrivateSim({ dial: 'realistic' });
const project = join(sim.work, 'project');
mkdirSync(project);
writeFileSync(join(project, 'pyproject.toml'), '[project]\nname = "waiting"\n');
writeFileSync(join(project, 'job.py'), `import os, sys, time
for epoch in range(1, ${Math.ceil(jobS)} + 1):
    time.sleep(${jobS / Math.ceil(jobS)})
    print(f"epoch {epoch}/${Math.ceil(jobS)} loss {1 / epoch:.4f}", flush=True)
with open(os.path.join(os.environ["RUNCTL_CHECKPOINT_DIR"], "last.json"), "w") as file:
    file.write('{"epoch": ${Math.ceil(jobS)}}')
`);

const operations = () => JSON.parse(spawnSync(process.execPath, [MAIN, 'sim', 'status', '--output', 'json'], { env: sim.env, cwd: sim.work, encoding: 'utf8' }).stdout).operations;

/** One command, its wall time and the calls that the cloud counted meanwhile. */
async function measure(name, unavoidableS, args) {
  const before = operations();
  const startedAt = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args], { env: sim.env, cwd: project, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (err += data));
  const code = await new Promise((resolve) => child.once('close', resolve));
  const wallS = (performance.now() - startedAt) / 1000;
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${err}${out}`);
  const after = operations();
  const calls = Object.fromEntries(Object.entries(after).map(([operation, count]) => [operation, count - (before[operation] ?? 0)]).filter(([, count]) => count > 0));
  return { name, wallS, unavoidableS, ratio: wallS / unavoidableS, calls, out: out.trim() };
}

try {
  console.log(`dial realistic: pending ${D.pending} s, SSM ${D.ssmOnline} s, terminate ${D.shuttingDown} s, ${D.call * 1000} ms a call; a job of ${jobS} s; takes about ${Math.round(2 * CREATE_S + 2 * JOB_S + D.shuttingDown)} s`);
  const create = await measure('create --wait', CREATE_S, ['aws', 'create', 't3.micro', '--iam-instance-profile', 'runctl-ssm-profile', '--wait', '--yes', '--output', 'instance-id']);
  const train = await measure('train --wait', D.call + JOB_S, ['aws', 'train', create.out, 'job.py', '--wait', '--output', 'json']);
  const workflow = await measure('workflow train', CREATE_S + JOB_S + D.call + D.shuttingDown + D.call, ['workflow', 'train', 'job.py', '--instance-type', 't3.micro', '--yes', '--output', 'json']);
  const rows = [create, train, workflow];
  console.log(`${'command'.padEnd(18)}${'wall s'.padStart(9)}${'must s'.padStart(9)}${'ratio'.padStart(8)}${'calls'.padStart(8)}`);
  for (const { name, wallS, unavoidableS, ratio, calls } of rows) {
    const total = Object.values(calls).reduce((sum, count) => sum + count, 0);
    console.log(`${name.padEnd(18)}${wallS.toFixed(1).padStart(9)}${unavoidableS.toFixed(1).padStart(9)}${ratio.toFixed(2).padStart(8)}${String(total).padStart(8)}`);
    console.log(`  ${Object.entries(calls).sort(([, a], [, b]) => b - a).map(([operation, count]) => `${operation} ${count}`).join(', ')}`);
  }
  const missed = rows.filter(({ ratio }) => ratio > GOAL);
  console.log(`goal: at most ${GOAL} x the unavoidable: ${missed.length === 0 ? 'reached' : `missed by ${missed.map(({ name }) => name).join(', ')}`}`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(rows.map(({ out: _out, ...row }) => row), null, 2)}\n`);
  if (options.strict && missed.length > 0) process.exitCode = 1;
} finally {
  sim.stop();
}
