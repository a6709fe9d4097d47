// Which requirements are shown by passing tests: `R062 shown 3` or `R062 missing`, one line a number; the same for the D-numbers,
// defects that must not come back. A test shows a number by carrying it in its title. --brief prints the totals only.
import { existsSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

const given = process.argv.indexOf('--results');
const RESULTS = given < 0 ? 'test-results/results.json' : process.argv[given + 1];
if (!existsSync(RESULTS)) spawnSync('node_modules/.bin/vitest', ['run', '--reporter=json', `--outputFile=${RESULTS}`], { stdio: ['ignore', 'ignore', 'inherit'] });
const NUMBER = /^(?:R\d{3}|D\d{1,2})$/;
const results = JSON.parse(readFileSync(RESULTS, 'utf8'));
const known = readFileSync('test/requirements.txt', 'utf8').split('\n').map((line) => line.split(' ', 1)[0]).filter((word) => NUMBER.test(word));

const shown = new Map();
const broken = new Set();
for (const test of results.testResults.flatMap((file) => file.assertionResults)) {
  for (const [number] of test.fullName.matchAll(/\b(?:R\d{3}|D\d{1,2})\b/g)) {
    if (test.status === 'passed') shown.set(number, (shown.get(number) ?? 0) + 1);
    else if (test.status === 'failed') broken.add(number);
  }
}
const unknown = [...shown.keys(), ...broken].filter((number) => !known.includes(number));
const isShown = (number) => shown.has(number) && !broken.has(number);
if (!process.argv.includes('--brief')) {
  for (const number of known) console.log(isShown(number) ? `${number} shown ${shown.get(number)}` : `${number} missing${broken.has(number) ? ' (a test of it fails)' : ''}`);
}
for (const [letter, what] of [['R', 'requirements shown'], ['D', 'old defects shown to be absent']]) {
  const numbers = known.filter((number) => number.startsWith(letter));
  if (numbers.length > 0) console.log(`${numbers.filter(isShown).length} of ${numbers.length} ${what}`);
}
for (const number of unknown) console.log(`${number} is in a test's title but not in test/requirements.txt`);
process.exitCode = unknown.length > 0 ? 1 : 0;
