import { expect, test } from 'vitest';
import { wholeHint } from './whole-hint.ts';

test.each([
  ['a command stays', 'runctl doctor', ['aws', 'train', 'i-1', 't.py'], 'runctl doctor'],
  ['a flag joins what was typed, before the arguments of the script', '--include-pattern "data/"', ['aws', 'train', 'i-1', 't.py', '--', '--name', 'my run'], "runctl aws train i-1 t.py --include-pattern \"data/\" -- --name 'my run'"],
  ['one that may be repeated is', '--include-pattern "b"', ['workflow', 'train', 't.py', '--include-pattern', 'a'], 'runctl workflow train t.py --include-pattern a --include-pattern "b"'],
  ['one that may not replaces itself', '--output json', ['aws', 'status', 'i-1', '--output', 'yaml', '--sim'], 'runctl aws status i-1 --sim --output json'],
  ['also in one word', '--project-root /p', ['aws', 'train', 'i-1', 't.py', '--project-root=/q'], 'runctl aws train i-1 t.py --project-root /p'],
  ['a switch takes no value along', '--yes', ['sim', 'reset', '--yes', '--output', 'json'], 'runctl sim reset --output json --yes'],
  ['arguments of the script replace those given in other ways', '-- --lr 1', ['aws', 'train', 'i-1', 't.py', '--args', '--lr 2', '--', '--lr', '1'], 'runctl aws train i-1 t.py -- --lr 1'],
  ['what is too long to read stays a flag', '--yes', ['aws', 'train', 'i-1', 't.py', '--', 'x'.repeat(2000)], '--yes'],
])('R114 %s', (_what, hint, argv, whole) => {
  expect(wholeHint(hint, argv)).toBe(whole);
});
