// Everything that must be true before a change lands, in one command. Each step says how long it took; all run even when one fails.
// --no-tests: for .ci/run, which has just run them. The fault matrix is small here and larger in `npm test`, which also plays all
// sessions of the documents: five minutes on two cores are all that a check may take.
import { spawnSync } from 'node:child_process';

const bin = (name) => `node_modules/.bin/${name}`;
const steps = [
  ['bundle', 'node', ['scripts/build.mjs']],
  ['types', bin('tsc'), ['-p', '.']],
  ['lint', bin('oxlint'), ['--deny-warnings', 'src', 'test', 'scripts', 'bench']],
  ['import rules', bin('depcruise'), ['--config', '.dependency-cruiser.cjs', 'src']],
  ['dead code', bin('knip'), ['--no-progress']],
  ['generated docs', 'node', ['scripts/docs.mjs', '--check']],
  ['tests', bin('vitest'), ['run', '--reporter=default', '--reporter=json', '--outputFile.json=test-results/results.json']],
  ['requirements', 'node', ['scripts/requirements.mjs', '--brief']],
];

const failed = [];
for (const [name, command, args] of steps) {
  if (name === 'tests' && process.argv.includes('--no-tests')) continue;
  const startedAt = performance.now();
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { RUNCTL_MATRIX: 'few', ...process.env } });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) console.log(`check failed: ${failed.join(', ')}`);
process.exit(failed.length > 0 ? 1 : 0);
