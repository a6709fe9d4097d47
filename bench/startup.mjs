// How long whole commands take, side by side in one run: bare Node, --version, --help, `aws status`, and the AWS CLI's describe-instances.
// Cloud calls go to a private sim with one running machine, dial instant. Not a test: a missed goal fails only with --strict.
// `node bench/startup.mjs [--runs N] [--strict] [--profile] [--json FILE]`
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { calmEnvironment, findAws } from '../test/conformance/clients.mjs';
import { MAIN, startPrivateSim } from '../test/conformance/private-sim.mjs';
import { profileCalls } from './profile.mjs';

const { values: options } = parseArgs({
  options: { runs: { type: 'string', default: '21' }, strict: { type: 'boolean', default: false }, profile: { type: 'boolean', default: false }, json: { type: 'string' } },
});
const runs = Number(options.runs);
if (!Number.isInteger(runs) || runs < 1) {
  console.error(`--runs ${options.runs} is no count`);
  process.exit(1);
}
const WARM_UPS = 2;
const GOALS = [
  { text: '--help at most 1.6 x bare Node', met: (median) => median['runctl --help'] <= 1.6 * median['node -e 0'] },
  { text: 'aws status at least 5 x faster than the AWS CLI', needs: 'aws ec2 describe-instances', met: (median) => median['aws ec2 describe-instances'] >= 5 * median['runctl aws status'] },
];

const node = process.execPath;
const sim = startPrivateSim();
const must = (args) => {
  const { status, stdout, stderr } = spawnSync(node, [MAIN, ...args], { env: sim.env, cwd: sim.work, encoding: 'utf8' });
  if (status !== 0) throw new Error(`runctl ${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout.trim();
};

try {
  const id = must(['aws', 'create', 't3.micro', '--iam-instance-profile', 'runctl-ssm-profile', '--wait', '--yes', '--output', 'instance-id']);
  const status = JSON.parse(must(['aws', 'status', id, '--output', 'json']));
  // Fast because it did not ask would not count.
  if (status.state !== 'running' || status.trainingStatus !== 'none') throw new Error(`the machine is not ready to be measured: ${JSON.stringify(status)}`);

  const aws = findAws();
  const calm = calmEnvironment();
  const subjects = [
    { name: 'node -e 0', command: node, args: ['-e', '0'], env: calm },
    { name: 'runctl --version', command: node, args: [MAIN, '--version'], env: calm },
    { name: 'runctl --help', command: node, args: [MAIN, '--help'], env: calm },
    { name: 'runctl aws status', command: node, args: [MAIN, 'aws', 'status', id], env: sim.env },
    ...(aws ? [{ name: 'aws ec2 describe-instances', command: aws.command, args: ['ec2', 'describe-instances', '--instance-ids', id, ...aws.endpointArgs(sim.env)], env: sim.env }] : []),
  ];
  const times = Object.fromEntries(subjects.map(({ name }) => [name, []]));
  for (let round = -WARM_UPS; round < runs; round++) {
    for (const { name, command, args, env } of subjects) {
      const startedAt = performance.now();
      const { status: exit, stderr } = spawnSync(command, args, { env, cwd: sim.work });
      const elapsedMs = performance.now() - startedAt;
      if (exit !== 0) throw new Error(`${name} ended with ${exit}: ${stderr}`);
      if (round >= 0) times[name].push(elapsedMs);
    }
  }

  const median = Object.fromEntries(Object.entries(times).map(([name, list]) => [name, list.sort((a, b) => a - b)[Math.floor(list.length / 2)]]));
  const bare = median['node -e 0'];
  console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}; ${runs} runs each, interleaved, after ${WARM_UPS} warm-ups; whole processes, milliseconds`);
  console.log(`${'command'.padEnd(30)}${'median'.padStart(8)}${'min'.padStart(8)}${'max'.padStart(8)}${'x Node'.padStart(8)}`);
  for (const { name } of subjects) {
    const list = times[name];
    console.log(`${name.padEnd(30)}${[median[name], list[0], list.at(-1)].map((ms) => ms.toFixed(0).padStart(8)).join('')}${(median[name] / bare).toFixed(2).padStart(8)}`);
  }
  if (aws) console.log(`AWS CLI ${aws.version}: ${(median['aws ec2 describe-instances'] / median['runctl aws status']).toFixed(1)} x as long as runctl aws status, which also asks SSM and the machine's own agent`);
  else console.log('no AWS CLI on this machine: nothing to compare aws status with');
  let missed = 0;
  for (const { text, needs, met } of GOALS) {
    const verdict = needs !== undefined && median[needs] === undefined ? 'not measured' : met(median) ? 'reached' : 'missed';
    if (verdict === 'missed') missed += 1;
    console.log(`goal: ${text}: ${verdict}`);
  }
  if (options.profile) await profileCalls({ node, main: MAIN, args: ['aws', 'status', id], env: sim.env, cwd: sim.work });
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ node: process.version, runs, median, times }, null, 2)}\n`);
  if (options.strict && missed > 0) process.exitCode = 1;
} finally {
  sim.stop();
}
