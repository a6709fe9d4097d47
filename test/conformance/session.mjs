// What a session says to the runner: one line a check. Not a test framework: no nesting, no hooks, no retries.
import { spawnSync } from 'node:child_process';
import { MAIN } from './private-sim.mjs';

const COMMAND_LIMIT_MS = 120_000;

export async function check(title, body) {
  const startedAt = performance.now();
  try {
    await body();
    console.log(`ok   ${title} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAIL ${title}: ${error.message.replaceAll(/\s*\n\s*/g, ' | ').slice(0, 1500)}`);
  }
}

/** { status, stdout, stderr } of a command; stdout is text unless `binary`. */
export function run(command, args, { env = process.env, cwd, input, binary = false } = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, { env, cwd, input, maxBuffer: 64 * 1024 * 1024, timeout: COMMAND_LIMIT_MS });
  if (error) throw new Error(`${command} ${args.slice(0, 3).join(' ')}: ${error.message}`);
  return { status: status ?? signal, stdout: binary ? stdout : stdout.toString('utf8'), stderr: stderr.toString('utf8') };
}

/** Same, and the command must succeed. Returns what it printed. */
export function must(command, args, options) {
  const { status, stdout, stderr } = run(command, args, options);
  if (status !== 0) throw new Error(`${command.split('/').at(-1)} ${args.join(' ').slice(0, 300)} ended with ${status}: ${stderr.trim()}`);
  return stdout;
}

export function runctl(...words) {
  return must(process.execPath, [MAIN, ...words]).trim();
}

export function runctlJson(...words) {
  return JSON.parse(runctl(...words, '--output', 'json'));
}
