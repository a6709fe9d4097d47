// The terminal session of the main job in README.md, between its two markers: runs the command for real in the built-in
// cloud and writes what it printed. --check writes nothing and fails when the page no longer shows what the command prints,
// ids, times and counts aside. RUNCTL_TEST_PROGRAM: another build than dist/main.cjs.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const program = process.env.RUNCTL_TEST_PROGRAM ?? join(root, 'dist/main.cjs');
const COMMAND = 'runctl workflow train training/train_mnist_e2e.py --sim -- --epochs 3';
const MARKS = ['<!-- session: written by scripts/record-session.mjs -->\n', '<!-- /session -->'];

/** What a terminal would show, both streams in their order. A home and a cloud of its own; nothing is left behind. */
function record() {
  const scratch = mkdtempSync(join(tmpdir(), 'runctl-session-'));
  symlinkSync(program, join(scratch, 'runctl'));
  const { PATH, TMPDIR, LANG } = process.env;
  const env = { PATH: [scratch, dirname(process.execPath), PATH].join(delimiter), ...(TMPDIR ? { TMPDIR } : {}), ...(LANG ? { LANG } : {}), HOME: scratch, XDG_STATE_HOME: join(scratch, 'state'), XDG_CONFIG_HOME: join(scratch, 'config') };
  const shell = (script) => spawnSync('sh', ['-c', script], { cwd: root, env, encoding: 'utf8', timeout: 120_000 });
  try {
    const { status, stdout, error } = shell(`exec 2>&1; ${COMMAND}`);
    if (error) throw error;
    if (status !== 0) throw new Error(`${COMMAND} ended with ${status}:\n${stdout}`);
    const outputs = /^ *Outputs: +(runs\/run-\S+)$/m.exec(stdout)?.[1];
    if (outputs) rmSync(join(root, outputs), { recursive: true });
    // Said only when something takes long on a busy computer.
    const steady = stdout.split('\n').filter((line) => !line.startsWith('  … ')).join('\n');
    return `$ ${COMMAND}\n${steady.trimEnd()}\n`;
  } finally {
    shell('runctl sim stop');
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What may differ from run to run, made equal. */
function scrub(text) {
  return text
    .replaceAll(/run-\d{8}-[a-z0-9]{6}/g, 'RUN')
    .replaceAll(/\bi-[0-9a-f]{17}\b/g, 'INSTANCE')
    .replaceAll(/\b(?:\d+m\d+s|\d+(?:\.\d+)? ?m?s)\b/g, 'TIME')
    .replaceAll(/\d+(?:\.\d+)*/g, '#')
    .replaceAll(/ +/g, ' ');
}

const path = join(root, 'README.md');
const page = readFileSync(path, 'utf8');
const [start, end] = [page.indexOf(MARKS[0]) + MARKS[0].length, page.indexOf(MARKS[1])];
if (start < MARKS[0].length || end < start) throw new Error(`README.md lacks the markers ${MARKS.join(' ')}`);
const block = (text) => `\`\`\`text\n${text}\`\`\`\n`;
const [shown, fresh] = [page.slice(start, end), block(record())];
if (scrub(shown) === scrub(fresh)) {
  console.log('the session in README.md is fresh');
} else if (process.argv.includes('--check')) {
  console.error(`the session in README.md is stale (node scripts/record-session.mjs); today it is\n${fresh}`);
  process.exitCode = 1;
} else {
  writeFileSync(path, page.slice(0, start) + fresh + page.slice(end));
  console.log('wrote README.md');
}
