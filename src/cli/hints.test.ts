import { expect, test } from 'vitest';
import { completeHint } from './hints.ts';

test.each([
  ['a command stays', 'runctl doctor', ['aws', 'train', 'i-1', 't.py'], 'runctl doctor'],
  ['a flag joins what was typed, before the arguments of the script', '--include-pattern "data/"', ['aws', 'train', 'i-1', 't.py', '--', '--name', 'my run'], "runctl aws train i-1 t.py --include-pattern \"data/\" -- --name 'my run'"],
  ['one that may be repeated is', '--include-pattern "b"', ['workflow', 'train', 't.py', '--include-pattern', 'a'], 'runctl workflow train t.py --include-pattern a --include-pattern "b"'],
  ['one that may not replaces itself', '--output json', ['aws', 'status', 'i-1', '--output', 'yaml', '--sim'], 'runctl aws status i-1 --sim --output json'],
  ['also in one word', '--project-root /p', ['aws', 'train', 'i-1', 't.py', '--project-root=/q'], 'runctl aws train i-1 t.py --project-root /p'],
  ['a switch takes no value along', '--yes', ['sim', 'reset', '--yes', '--output', 'json'], 'runctl sim reset --output json --yes'],
  ['what contradicts it goes', '--on-demand', ['aws', 'create', 'g5.xlarge', '--spot', '--spot-timeout', '20s', '--types=a.b,c.d', '--wait'], 'runctl aws create g5.xlarge --wait --on-demand'],
  ['a policy replaces the other word for one', '--on-spot-failure wait', ['aws', 'create', 'g5.xlarge', '--spot', '--no-fallback'], 'runctl aws create g5.xlarge --spot --on-spot-failure wait'],
  ['arguments of the script replace those given in other ways', '-- --lr 1', ['aws', 'train', 'i-1', 't.py', '--args', '--lr 2', '--', '--lr', '1'], 'runctl aws train i-1 t.py -- --lr 1'],
  ['what is too long to read stays a flag', '--yes', ['aws', 'train', 'i-1', 't.py', '--', 'x'.repeat(2000)], '--yes'],
  ['a command goes to the same cloud', 'runctl aws start i-1 --wait', ['aws', 'train', 'i-1', 't.py', '--sim', '-c', 'my file.toml'], "runctl aws start i-1 --wait --sim -c 'my file.toml'"],
  ['and to the same region, before what belongs to the script', "runctl aws train i-1 t.py --wait -- --lr 1", ['aws', 'train', '--region=eu-west-1', 'i-1', 't.py', '--', '--sim'], 'runctl aws train i-1 t.py --wait --region=eu-west-1 -- --lr 1'],
  ['a command about many machines looks where that one looked', 'runctl resources stop-all --dry-run', ['resources', 'list', '--sim', '--all-regions', '--sort', 'cost'], 'runctl resources stop-all --dry-run --sim --all-regions'],
  ['or in the same regions', 'runctl resources cleanup --dry-run', ['resources', 'summary', '--regions', 'eu-west-1,us-east-1'], 'runctl resources cleanup --dry-run --regions eu-west-1,us-east-1'],
  ['unless it says where itself', 'runctl resources list --all-regions', ['resources', 'list', '--regions=mars'], 'runctl resources list --all-regions'],
  ['a command about one machine knows of no others', 'runctl aws stop i-1 --region eu-west-1', ['resources', 'list', '--all-regions'], 'runctl aws stop i-1 --region eu-west-1'],
  ['a remark stays behind it', 'runctl aws monitor i-1 --follow   (wait for it)', ['aws', 'train', '--sim', 'i-1'], 'runctl aws monitor i-1 --follow --sim   (wait for it)'],
  ['another region that is named stays', 'runctl aws status i-1 --region us-west-2', ['aws', 'status', 'i-1', '--region', 'eu-west-1'], 'runctl aws status i-1 --region us-west-2'],
  ['a command that needs no cloud stays', 'runctl runs list', ['aws', 'status', 'i-1', '--sim'], 'runctl runs list'],
])('R114 %s', (_what, hint, argv, whole) => {
  expect(completeHint(hint, argv)).toBe(whole);
});
