// Third-party clients drive the pretend cloud: each session has a private one, started by `runctl sim start` with dial instant.
// Prints one line a check and a total; exit 1 when a check failed. `node test/conformance/run.mjs [aws-cli|aws-volumes|aws-spot|boto3-machines|boto3-objects|contract|rclone]…`
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findAws, findBoto3, findMoto, findRclone } from './clients.mjs';
import { ROOT, startPrivateSim } from './private-sim.mjs';

const HERE = join(ROOT, 'test/conformance');
const SESSION_LIMIT_MS = 8 * 60_000;

function boto3Session(file) {
  return {
    find: findBoto3,
    say: (client) => `boto3 ${client.version}`,
    start: (client) => [client.command, ['-W', 'ignore', join(HERE, file), ...(client.readsEndpoint ? [] : ['--endpoint-argument'])]],
  };
}

const SESSIONS = {
  'aws-cli': { find: findAws, say: (client) => `AWS CLI ${client.version}`, start: () => [process.execPath, [join(HERE, 'aws-cli.mjs')]] },
  'aws-volumes': { find: findAws, say: (client) => `AWS CLI ${client.version}`, start: () => [process.execPath, [join(HERE, 'aws-volumes.mjs')]] },
  'aws-spot': { find: findAws, say: (client) => `AWS CLI ${client.version}`, start: () => [process.execPath, [join(HERE, 'aws-spot.mjs')]] },
  'boto3-machines': boto3Session('boto3_machines.py'),
  'boto3-objects': boto3Session('boto3_objects.py'),
  // Without moto the pretend cloud's own column is still filled.
  contract: { find: () => findMoto() ?? { version: 'not installed' }, say: (client) => `moto ${client.version}`, start: () => [process.execPath, [join(HERE, 'contract.mjs')]] },
  rclone: { find: findRclone, say: (client) => `rclone ${client.version}`, start: () => [process.execPath, [join(HERE, 'rclone.mjs')]] },
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(SESSIONS, name));
if (unknown.length > 0) {
  console.error(`no session ${unknown.join(', ')}; there are ${Object.keys(SESSIONS).join(', ')}`);
  process.exit(2);
}

const total = { ok: 0, FAIL: 0, skip: 0 };
function tell(line) {
  const word = line.match(/^(ok|FAIL|skip) /)?.[1];
  if (word) total[word] += 1;
  console.log(line);
}

async function runSession(name) {
  const session = SESSIONS[name];
  const client = session.find();
  if (!client) return tell(`skip R200 ${name}: not installed on this machine`);
  const startedAt = performance.now();
  let sim;
  try {
    sim = startPrivateSim();
  } catch (error) {
    return tell(`FAIL R201 ${name}: no sim to talk to: ${error.message}`);
  }
  const [command, args] = session.start(client);
  let checks = 0;
  let failed = 0;
  const child = spawn(command, args, { cwd: sim.work, env: sim.env, stdio: ['ignore', 'pipe', 'inherit'], timeout: SESSION_LIMIT_MS });
  const closed = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    if (/^(ok|FAIL|skip) /.test(line)) checks += 1;
    if (line.startsWith('FAIL')) failed += 1;
    tell(line);
  });
  const ended = await closed.catch((error) => error.message);
  // A session that breaks off must not look like one that passed.
  if ((ended !== 0 && failed === 0) || checks === 0) tell(`FAIL R200 ${name}: the session ended with ${ended} after ${checks} checks`);
  try {
    sim.stop();
    tell(`ok   R201 ${name}: "runctl sim stop" ended the server`);
  } catch (error) {
    tell(`FAIL R201 ${name}: ${error.message}`);
  }
  console.log(`     ${session.say(client)}: ${checks} checks in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

await Promise.all((wanted.length > 0 ? wanted : Object.keys(SESSIONS)).map(runSession));
console.log(`conformance: ${total.ok} passed, ${total.FAIL} failed${total.skip > 0 ? `, ${total.skip} skipped` : ''}`);
process.exitCode = total.FAIL > 0 ? 1 : 0;
