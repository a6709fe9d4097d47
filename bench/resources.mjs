// `resources list` over a large fleet in four regions against the AWS CLI's describe-instances, region after region, on the same private
// sim: wall time, CPU time, peak memory and API calls, side by side in one run. runctl asks for disks, spot requests and prices besides. Not a
// test: a missed goal fails only with --strict.
// `node bench/resources.mjs [--machines N] [--runs N] [--strict] [--json FILE]`
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { bundleProgram } from '../scripts/build.mjs';
import { calmEnvironment, findAws } from '../test/conformance/clients.mjs';
import { MAIN } from '../test/conformance/private-sim.mjs';

const { values: options } = parseArgs({ options: { machines: { type: 'string', default: '10000' }, runs: { type: 'string', default: '3' }, strict: { type: 'boolean', default: false }, json: { type: 'string' } } });
const [machines, runs] = [Number(options.machines), Number(options.runs)];
if (!Number.isInteger(machines) || machines < 8 || !Number.isInteger(runs) || runs < 1) {
  console.error('--machines is a count of at least 8, --runs one of at least 1');
  process.exit(1);
}
const REGIONS = ['us-east-1', 'us-east-2', 'us-west-2', 'eu-west-1'];
/** A program below Python's getrusage: the peak of the largest process, and the CPU time of all. */
const MEASURE = `
import json, resource, subprocess, sys, time
started = time.monotonic()
codes = [subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for argv in json.loads(sys.argv[1])]
used = resource.getrusage(resource.RUSAGE_CHILDREN)
bad = [one.stderr.decode() for one in codes if one.returncode != 0]
unit = 1 if sys.platform == 'darwin' else 1024
print(json.dumps({'wallS': time.monotonic() - started, 'cpuS': used.ru_utime + used.ru_stime, 'peakBytes': used.ru_maxrss * unit, 'errors': bad}))
`;

const directory = mkdtempSync(join(tmpdir(), 'runctl-bench-'));
const world = join(directory, 'world');
mkdirSync(world);
let server;
try {
  await bundleProgram('test/conformance/fleet-server.ts', directory);
  console.log(`${machines} machines in ${REGIONS.length} regions; load ${loadavg()[0].toFixed(1)} before`);
  server = spawn(process.execPath, [join(directory, 'fleet-server.cjs'), String(machines), world], { env: { ...calmEnvironment(), AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' }, stdio: ['pipe', 'pipe', 'inherit'] });
  const cloud = JSON.parse(await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).once('line', resolve);
    server.once('exit', (code) => reject(new Error(`the fleet's cloud ended with ${code}`)));
  }));
  const env = { ...calmEnvironment(), XDG_STATE_HOME: join(directory, 'state'), AWS_ENDPOINT_URL: cloud.endpoint, AWS_ACCESS_KEY_ID: cloud.accessKeyId, AWS_SECRET_ACCESS_KEY: cloud.secretAccessKey, AWS_REGION: REGIONS[0] };
  const operations = async () => (await (await fetch(`${cloud.endpoint}/_sim/status`, { headers: { authorization: `Bearer ${cloud.token}` } })).json()).operations;

  const aws = findAws();
  const describe = (region) => [aws.command, 'ec2', 'describe-instances', '--region', region, '--filters', 'Name=tag-key,Values=runctl:owner', '--output', 'json', ...aws.endpointArgs(env)];
  const subjects = [
    { name: 'runctl resources list', commands: [[process.execPath, MAIN, 'resources', 'list', '--all-regions']] },
    // What is kept of 10,000 machines is little; the rest of the peak is what the garbage collector has not yet looked at.
    { name: 'runctl …, heap of 96 MiB', commands: [[process.execPath, '--max-old-space-size=96', MAIN, 'resources', 'list', '--all-regions']] },
    { name: 'runctl resources list --json', commands: [[process.execPath, MAIN, 'resources', 'list', '--all-regions', '--output', 'json']] },
    { name: 'runctl … --project one', commands: [[process.execPath, MAIN, 'resources', 'list', '--all-regions', '--project', 'project-7']] },
    ...(aws ? [{ name: 'aws ec2 describe-instances', commands: REGIONS.map(describe) }] : []),
  ];
  const shown = JSON.parse(spawnSync(process.execPath, [MAIN, 'resources', 'list', '--all-regions', '--output', 'json'], { env, cwd: directory, encoding: 'utf8', maxBuffer: 1e9 }).stdout);
  // Fast because it left some out would not count.
  if (shown.resources.length !== machines || shown.unknownPrices !== 0) throw new Error(`${shown.resources.length} machines were listed, ${shown.unknownPrices} without a price`);

  const rows = [];
  for (const { name, commands } of subjects) {
    const measured = [];
    let calls = {};
    for (let run = 0; run < runs; run += 1) {
      const before = await operations();
      const { status, stdout, stderr } = spawnSync('python3', ['-c', MEASURE, JSON.stringify(commands)], { env, cwd: directory, encoding: 'utf8' });
      if (status !== 0) throw new Error(`${name}: ${stderr}`);
      const one = JSON.parse(stdout);
      if (one.errors.length > 0) throw new Error(`${name}: ${one.errors[0]}`);
      calls = Object.fromEntries(Object.entries(await operations()).map(([operation, count]) => [operation, count - (before[operation] ?? 0)]).filter(([, count]) => count > 0));
      measured.push(one);
    }
    measured.sort((a, b) => a.wallS - b.wallS);
    rows.push({ name, ...measured[Math.floor(measured.length / 2)], calls });
  }

  console.log(`${'command'.padEnd(30)}${'wall s'.padStart(8)}${'CPU s'.padStart(8)}${'peak MiB'.padStart(10)}${'calls'.padStart(7)}`);
  for (const { name, wallS, cpuS, peakBytes, calls } of rows) {
    const total = Object.values(calls).reduce((sum, count) => sum + count, 0);
    console.log(`${name.padEnd(30)}${wallS.toFixed(2).padStart(8)}${cpuS.toFixed(2).padStart(8)}${(peakBytes / 1048576).toFixed(0).padStart(10)}${String(total).padStart(7)}`);
    console.log(`  ${Object.entries(calls).sort(([, a], [, b]) => b - a).map(([operation, count]) => `${operation} ${count}`).join(', ')}`);
  }
  const [own] = rows;
  const theirs = rows.find(({ name }) => name.startsWith('aws'));
  if (theirs) {
    const ratio = (field) => (own[field] / theirs[field]).toFixed(2);
    console.log(`runctl needs ${ratio('wallS')} x the time, ${ratio('cpuS')} x the CPU time and ${ratio('peakBytes')} x the memory of the AWS CLI, which asks for instances only, one region a process (load ${loadavg()[0].toFixed(1)} after)`);
    const met = own.wallS <= theirs.wallS && own.cpuS <= theirs.cpuS;
    console.log(`goals: not slower than the AWS CLI, and no more work for this computer: ${met ? 'reached' : 'missed'}; within a heap of 96 MiB: reached`);
    if (options.strict && !met) process.exitCode = 1;
  } else console.log('no AWS CLI here to compare with');
  if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
} finally {
  if (server && server.exitCode === null) {
    server.stdin.end();
    await new Promise((resolve) => server.once('exit', resolve));
  }
  rmSync(directory, { recursive: true, force: true });
}
