// The provider contract and the whole story three ways: against the pretend cloud, against moto (another emulator of AWS), and
// against a real account, which is never done from here. moto does not do all that AWS does; what it lacks is known, with the
// reason, and a failure for any other reason is a failure. Then: what runctl itself says to someone who points it at moto.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { calmEnvironment, findMoto } from './clients.mjs';
import { MAIN, ROOT } from './private-sim.mjs';
import { check, must, run } from './session.mjs';

const PROFILE = 'runctl-ssm-profile';
const ROLE = 'runctl-ssm-role';
const NO_HANDS = 'its SSM runs nothing: Success with empty output';

/** By the beginning of a title: why moto cannot, and how that shows. */
const KNOWN = [
  ['R036 create makes one machine per token', 'RunInstances ignores ClientToken: the same token makes a second machine', /expected 'i-[0-9a-f]+' to be 'i-[0-9a-f]+'/],
  ['R027 R029 it becomes running', NO_HANDS, /it runs nothing/],
  ['a script gives exit code', NO_HANDS, /no shell/],
  ['as much output', NO_HANDS, /no shell/],
  ['files stay between scripts', NO_HANDS, /no shell/],
  ['a script is ended by its timeout', NO_HANDS, /no shell/],
  ['R036 R037 stop keeps the disk', NO_HANDS, /no shell/],
  ['R037 terminate ends it for good', 'the second machine of the same token is still there, and a terminated one can be started again', /to deeply equal \[\]|resolved .* instead of rejecting/],
  ['R119 one command trains', NO_HANDS, /endpoint-foreign/],
];

/** Results of the suite by title: { status, message }. */
function suite(env) {
  const directory = mkdtempSync(join(tmpdir(), 'runctl-contract-'));
  const file = join(directory, 'results.json');
  try {
    const child = spawnSync(process.execPath, [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', 'test/live/live.test.ts', '--reporter=json', `--outputFile.json=${file}`], {
      cwd: ROOT, env: { ...env, RUNCTL_LIVE: '1', RUNCTL_LIVE_ENDPOINT: env.AWS_ENDPOINT_URL, RUNCTL_LIVE_TYPE: 't3.micro', NO_COLOR: '1' }, encoding: 'utf8', timeout: 240_000,
    });
    const tests = JSON.parse(readFileSync(file, 'utf8')).testResults.flatMap((one) => one.assertionResults);
    if (tests.length === 0) throw new Error(`the suite did not run: ${child.stderr.slice(-500)}`);
    return new Map(tests.map(({ title, status, failureMessages }) => [title.replace(/trains on \S+( in \S+)?,/, 'trains,'), { status, message: failureMessages.join(' ') }]));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** { endpoint, env, stop() } of a moto server with the profile that every guide speaks of. */
async function startMoto(client) {
  const port = await new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
  const child = spawn(client.command, ['-H', '127.0.0.1', '-p', String(port)], { env: { ...calmEnvironment(), MOTO_IAM_LOAD_MANAGED_POLICIES: 'true' }, stdio: 'ignore' });
  const endpoint = `http://127.0.0.1:${port}`;
  process.once('exit', () => child.kill('SIGKILL'));
  for (const deadline = Date.now() + 60_000; ; await sleep(100)) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error('moto_server did not start');
    if (await fetch(`${endpoint}/moto-api/`).then((answer) => answer.ok, () => false)) break;
  }
  const iam = async (Action, words) => {
    const answer = await fetch(`${endpoint}/`, { method: 'POST', headers: { authorization: 'AWS4-HMAC-SHA256 Credential=moto/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0' }, body: new URLSearchParams({ Action, ...words }) });
    if (!answer.ok) throw new Error(`${Action}: HTTP ${answer.status} ${(await answer.text()).slice(0, 300)}`);
  };
  const trust = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }] };
  await iam('CreateRole', { RoleName: ROLE, AssumeRolePolicyDocument: JSON.stringify(trust) });
  await iam('AttachRolePolicy', { RoleName: ROLE, PolicyArn: 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore' });
  await iam('CreateInstanceProfile', { InstanceProfileName: PROFILE });
  await iam('AddRoleToInstanceProfile', { InstanceProfileName: PROFILE, RoleName: ROLE });
  const env = { ...process.env, AWS_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: 'moto', AWS_SECRET_ACCESS_KEY: 'moto', AWS_REGION: 'us-east-1', XDG_STATE_HOME: join(process.cwd(), 'moto-state') };
  return { env, stop: () => child.kill('SIGKILL') };
}

function verdict(title, result) {
  if (result === undefined || ['skipped', 'pending', 'todo'].includes(result.status)) return { cell: 'n/a', good: true };
  if (result.status === 'passed') return { cell: 'pass', good: true };
  const known = KNOWN.find(([beginning]) => title.startsWith(beginning));
  if (known && known[2].test(result.message)) return { cell: 'fails as documented', why: known[1], good: true };
  return { cell: 'FAILS', why: result.message.split('\n')[0].slice(0, 300), good: false };
}

const client = findMoto();
const sim = suite(process.env);
const rows = [];
for (const [title, { status, message }] of sim) {
  rows.push({ title, sim: status === 'passed' ? 'pass' : 'FAILS', moto: 'not run' });
  await check(`R210 pretend cloud: ${title}`, async () => {
    if (status !== 'passed') throw new Error(message);
  });
}

if (!client) console.log('skip R210 the provider contract against moto: moto_server is not installed on this machine');
else {
  const moto = await startMoto(client);
  try {
    const results = suite(moto.env);
    for (const row of rows) {
      const { cell, why, good } = verdict(row.title, results.get(row.title));
      Object.assign(row, { moto: cell, why });
      await check(`R210 moto ${client.version}: ${row.title}: ${cell}${why && good ? ` (${why})` : ''}`, async () => {
        if (!good) throw new Error(why);
      });
    }
    await honesty(moto.env);
  } finally {
    moto.stop();
  }
}
console.log('     real account: not run (RUNCTL_LIVE=1 npx vitest run test/live says what it needs)');
const width = Math.max(...rows.map((row) => row.title.length));
console.log(`     ${'check'.padEnd(width)}  sim    moto                 real account`);
for (const row of rows) console.log(`     ${row.title.padEnd(width)}  ${row.sim.padEnd(5)}  ${row.moto.padEnd(19)}  not run${row.why ? `   moto: ${row.why}` : ''}`);

/** Pointed at an emulator that only pretends, runctl says so, leaves nothing behind and never calls it a bug. */
async function honesty(env) {
  const runctl = (...words) => run(process.execPath, [MAIN, ...words], { env, cwd: process.cwd() });
  const body = (text) => JSON.parse(text);
  await check('R210 moto: a workflow ends with the truth (it runs nothing), exit 2, and no machine goes on', async () => {
    mkdirSync('project', { recursive: true });
    writeFileSync('project/pyproject.toml', '[project]\nname = "x"\n');
    writeFileSync('project/train.py', 'print("epoch 1")\n');
    const { status, stderr } = runctl('workflow', 'train', 'project/train.py', '--instance-type', 't3.micro', '--yes', '--output', 'json');
    const { error } = body(stderr);
    if (status !== 2 || error.code !== 'endpoint-foreign' || !/runs nothing/.test(error.message)) throw new Error(`exit ${status}: ${stderr}`);
    if (!error.hints.some((hint) => /--sim\b|runctl sim env/.test(hint))) throw new Error(`no way out is named: ${error.hints.join('; ')}`);
    const runs = body(must(process.execPath, [MAIN, 'runs', 'list', '--output', 'json'], { env }));
    const left = body(must(process.execPath, [MAIN, 'aws', 'status', runs[0].machineId, '--output', 'json'], { env })).state;
    if (!['terminated', 'shutting-down'].includes(left)) throw new Error(`the machine is ${left}`);
  });
  await check('R210 moto: create, status, stop, start and terminate work; status says that nobody answers on the machine', async () => {
    const id = must(process.execPath, [MAIN, 'aws', 'create', 't3.micro', '--iam-instance-profile', PROFILE, '--output', 'instance-id'], { env }).trim();
    const status = body(must(process.execPath, [MAIN, 'aws', 'status', id, '--output', 'json'], { env }));
    if (status.state !== 'running' || status.trainingStatus !== 'unknown' || !status.training.reason) throw new Error(JSON.stringify(status));
    for (const words of [['stop', id, '--wait'], ['start', id], ['terminate', id, '--yes', '--wait']]) must(process.execPath, [MAIN, 'aws', ...words], { env });
  });
  await check('R210 moto: doctor comes to its end and calls nothing a bug', async () => {
    const { status, stdout, stderr } = runctl('doctor', '--output', 'json');
    if (status === 70) throw new Error(stderr);
    if (!/credentials/.test(stdout + stderr)) throw new Error(`it says nothing: ${stdout}${stderr}`);
  });
}
