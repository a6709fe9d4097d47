// Which requirements are shown by passing tests: `R062 shown 3` or `R062 missing`, one line a number.
// A test shows a requirement by carrying its number in its title. --brief prints the two totals only.
import { existsSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

const given = process.argv.indexOf('--results');
const RESULTS = given < 0 ? 'test-results/results.json' : process.argv[given + 1];
if (!existsSync(RESULTS)) spawnSync('node_modules/.bin/vitest', ['run', '--reporter=json', `--outputFile=${RESULTS}`], { stdio: ['ignore', 'ignore', 'inherit'] });
const results = JSON.parse(readFileSync(RESULTS, 'utf8'));
const known = readFileSync('test/requirements.txt', 'utf8').split('\n').map((line) => line.slice(0, 4)).filter((word) => /^R\d{3}$/.test(word));

const shown = new Map();
const broken = new Set();
for (const test of results.testResults.flatMap((file) => file.assertionResults)) {
  for (const [number] of test.fullName.matchAll(/\bR\d{3}\b/g)) {
    if (test.status === 'passed') shown.set(number, (shown.get(number) ?? 0) + 1);
    else if (test.status === 'failed') broken.add(number);
  }
}
const unknown = [...shown.keys(), ...broken].filter((number) => !known.includes(number));
const isShown = (number) => shown.has(number) && !broken.has(number);
if (!process.argv.includes('--brief')) {
  for (const number of known) console.log(isShown(number) ? `${number} shown ${shown.get(number)}` : `${number} missing${broken.has(number) ? ' (a test of it fails)' : ''}`);
}
console.log(`${known.filter(isShown).length} of ${known.length} requirements shown`);
for (const number of unknown) console.log(`${number} is in a test's title but not in test/requirements.txt`);
process.exitCode = unknown.length > 0 ? 1 : 0;
