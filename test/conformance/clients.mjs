// Finds the third-party clients of this machine. They are never shimmed or patched; what is missing is reported as undefined.
// Not an installer: .ci/run installs what it can beforehand.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Oldest releases that read AWS_ENDPOINT_URL; before them the endpoint has to be an argument. */
const ENDPOINT_VARIABLE_SINCE = { aws1: [1, 29, 0], aws2: [2, 13, 0], boto3: [1, 28, 0] };

/** Things of the caller's environment that lead clients elsewhere or make them fail on plain HTTP (rclone refuses AWS_CA_BUNDLE). */
const DISTURBING = /^(AWS_|RUNCTL_|RCLONE_|NODE_OPTIONS$|NODE_EXTRA_CA_CERTS$|REQUESTS_CA_BUNDLE$|CURL_CA_BUNDLE$|https?_proxy$|all_proxy$|CLICOLOR_FORCE$|FORCE_COLOR$)/i;

export function calmEnvironment(env = process.env) {
  return { ...Object.fromEntries(Object.entries(env).filter(([name]) => !DISTURBING.test(name))), AWS_PAGER: '', NO_COLOR: '1', PYTHONDONTWRITEBYTECODE: '1' };
}

function answer(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: calmEnvironment(), timeout: 60_000 });
  return status === 0 ? `${stdout}${stderr}`.trim() : undefined;
}

function atLeast(version, wanted) {
  const parts = version.split('.').map(Number);
  for (const [index, want] of wanted.entries()) {
    if (parts[index] !== want) return (parts[index] ?? 0) > want;
  }
  return true;
}

/** Past a version manager's shim (pyenv's costs 0.15 s a call), the program itself; else the name as it is on PATH. */
function behindShim(name) {
  const python = answer('python3', ['-c', 'import sys; print(sys.executable)']);
  const beside = python && join(dirname(python), name);
  return beside && existsSync(beside) ? beside : name;
}

/** { command, version, endpointArgs } or undefined. endpointArgs(env) is empty where AWS_ENDPOINT_URL is enough. */
export function findAws() {
  for (const command of [behindShim('aws'), '/usr/bin/aws']) {
    const version = answer(command, ['--version'])?.match(/^aws-cli\/(\d+\.\d+\.\d+)/)?.[1];
    if (!version) continue;
    const reads = atLeast(version, version.startsWith('1.') ? ENDPOINT_VARIABLE_SINCE.aws1 : ENDPOINT_VARIABLE_SINCE.aws2);
    return { command, version, endpointArgs: (env) => (reads ? [] : ['--endpoint-url', env.AWS_ENDPOINT_URL]) };
  }
  return undefined;
}

/** A Python that has boto3: { command, version, readsEndpoint } or undefined. */
export function findBoto3() {
  for (const command of ['python3', '/usr/bin/python3']) {
    const version = answer(command, ['-c', 'import boto3; print(boto3.__version__)'])?.match(/^\d+\.\d+\.\d+/)?.[0];
    if (version) return { command, version, readsEndpoint: atLeast(version, ENDPOINT_VARIABLE_SINCE.boto3) };
  }
  return undefined;
}

export function findRclone() {
  const version = answer('rclone', ['version'])?.match(/^rclone v(\S+)/)?.[1];
  return version && { command: 'rclone', version };
}

/** The server of moto, past a version manager's shim. */
export function findMoto() {
  const command = behindShim('moto_server');
  if (answer(command, ['--help']) === undefined) return undefined;
  const python = command.includes('/') ? join(dirname(command), 'python3') : 'python3';
  return { command, version: answer(python, ['-c', 'import moto; print(moto.__version__)']) ?? 'of unknown version' };
}
