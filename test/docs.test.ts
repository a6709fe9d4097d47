// Documents that cannot lie: every command line in them is parsed with the real grammar, and what they tell users to try is tried.
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Command } from '../src/cli/command.ts';
import { GLOBAL_FLAGS } from '../src/cli/global-flags.ts';
import { renderCommandHelp } from '../src/cli/help.ts';
import { kebab } from '../src/cli/parse.ts';
import { WORDS } from '../src/commands/index.ts';
import { allSettings, variableOf } from '../src/config/settings.ts';
import { REPOSITORY, copyTraining, openState, runProgram, runShell, withState } from './support/cli.ts';
import { type DocCommand, blocksOf, commandsInSource, commandsOfDocument, commandsOfScript, documents, exampleScripts, parseCommand, readDocument, splitShell } from './support/doc-commands.ts';

async function wrongOnes(commands: readonly DocCommand[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const { where, words } of commands) await parseCommand(words).catch((error: Error) => wrong.push(`${where}: runctl ${words.join(' ')}: ${error.message}`));
  return wrong;
}

describe('every command line that is written down', () => {
  test('R108 R280 in README, docs and examples is one that runctl understands', async () => {
    const inDocuments = documents().flatMap(commandsOfDocument);
    const inScripts = exampleScripts().flatMap((path) => commandsOfScript(readDocument(path), path));
    expect(exampleScripts()).toEqual(['complete_workflow.sh', 'quick_test.sh', 'workflow_train_example.sh'].map((name) => join('examples', name)));
    expect(inDocuments.length).toBeGreaterThan(60);
    expect(inScripts.length).toBeGreaterThan(10);
    expect(await wrongOnes([...inDocuments, ...inScripts])).toEqual([]);
  });

  test('R118 in the help of each command is one that runctl understands, and each has at least one', async () => {
    for (const [words, entry] of Object.entries(WORDS)) {
      const { examples } = await entry.load();
      expect(examples.length, words).toBeGreaterThan(0);
      const commands = examples.flatMap((line) => commandsOfScript(line, `help of ${words}`));
      expect(commands.map((command) => command.words.slice(0, words.split(' ').length).join(' ')), words).toEqual(examples.map(() => words));
      expect(await wrongOnes(commands)).toEqual([]);
    }
  });

  test('R079 R108 in the hints of errors and notes is one that runctl understands', async () => {
    const commands = commandsInSource();
    expect(commands.length).toBeGreaterThan(40);
    expect(await wrongOnes(commands)).toEqual([]);
  });

  test('R280 a wrong word, a wrong flag and a missing argument are seen', async () => {
    const wrong = await wrongOnes(commandsOfScript('runctl aws list\nID=$(npx runctl aws create t3.micro --wiat) && runctl aws status\n', 'x'));
    expect(wrong).toEqual([expect.stringContaining('unknown command "list"'), expect.stringContaining('wiat'), expect.stringContaining('aws status')]);
    expect(splitShell('a "b $(c d) e" \'f g\' >h 2>&1 | i \\\n j # k\nl=$(m) n')).toEqual([['c', 'd'], ['a', 'b VALUE e', 'f g'], ['i', 'j'], ['m'], ['l=VALUE', 'n']]);
  });
});

describe('R118 one set of words', () => {
  const flagsOf = (command: Command): string[] => Object.keys(command.flags ?? {}).map(kebab);

  test('R118 every command takes --output, and none redefines a flag of all commands', async () => {
    expect(Object.keys(GLOBAL_FLAGS)).toEqual(expect.arrayContaining(['output', 'sim', 'yes', 'quiet', 'config', 'help']));
    for (const [words, entry] of Object.entries(WORDS)) {
      const command = await entry.load();
      expect(Object.keys(command.flags ?? {}).filter((name) => name in GLOBAL_FLAGS), words).toEqual([]);
      expect(renderCommandHelp(words, entry, command), words).toContain('--output FORMAT');
    }
  });

  test('R118 R037 what waits is called --wait and --timeout everywhere', async () => {
    const waiting = { 'aws create': true, 'aws start': true, 'aws stop': true, 'aws terminate': true, 'aws train': true, 'aws wait': false, 'aws wait-ssm': false };
    for (const [words, asked] of Object.entries(waiting)) {
      const flags = flagsOf(await WORDS[words]!.load());
      expect(flags, words).toContain('timeout');
      expect(flags.includes('wait'), words).toBe(asked);
    }
  });

  test('R118 a flag of one name means one kind of value in all commands, and a machine is INSTANCE_ID everywhere', async () => {
    const kinds = new Map<string, string>();
    for (const [words, entry] of Object.entries(WORDS)) {
      const command: Command = await entry.load();
      for (const [name, { kind }] of Object.entries(command.flags ?? {})) {
        expect(kinds.get(name) ?? kind, `${words} --${kebab(name)}`).toBe(kind);
        kinds.set(name, kind);
      }
      const machineVerb = words.startsWith('aws ') && !['aws create', 'aws policy'].includes(words) && (command.args?.length ?? 0) > 0;
      if (machineVerb) expect(command.args![0]!.name, words).toBe('instance_id');
    }
  });
});

describe('R110 guides', () => {
  test('R110 README and every guide for users has prerequisites that name the bucket and the way without one', () => {
    for (const path of ['README.md', 'docs/EXAMPLES.md', 'docs/EXAMPLES_RUNNABLE.md', 'docs/aws-setup.md', 'docs/troubleshooting.md', 'docs/simulator.md']) {
      const section = /^## Prerequisites\n([^]*?)(?=^## |$(?![^]))/m.exec(readDocument(path))?.[1];
      expect(section, path).toBeDefined();
      expect(section, path).toMatch(/s3_bucket/);
      expect(section, path).toMatch(/without (one|a bucket)/i);
    }
  });

  test('R111 troubleshooting has an entry for every trouble that users reported', () => {
    const text = readDocument('docs/troubleshooting.md');
    for (const heading of ['SSM is available, but the code does not arrive', 'The bucket', 'No credentials', 'The SSM agent does not register']) expect(text).toContain(`## ${heading}`);
  });

  test('every setting and every environment variable of ours that is named exists', () => {
    const known = new Set(allSettings().flatMap(({ name }) => [name, variableOf(name)]));
    const given = ['RUNCTL_CHECKPOINT_DIR', 'RUNCTL_RUN_ID', 'RUNCTL_RUN_DIR', 'RUNCTL_CODE_DIR', 'RUNCTL_DEVICE', 'RUNCTL_TEST_PROGRAM'];
    const wrong = documents().flatMap((path) => {
      const text = readDocument(path);
      const names = [
        ...[...text.matchAll(/`((?:aws|train|local|sync|sim)\.[a-z0-9_]+)`/g)].map(([, name]) => name!),
        ...[...text.matchAll(/config set ((?:[a-z]+\.)[a-z0-9_]+)/g)].map(([, name]) => name!),
        ...[...text.matchAll(/\bRUNCTL_[A-Z0-9_]*[A-Z0-9]\b/g)].map(([name]) => name).filter((name) => !given.includes(name)),
      ];
      return names.filter((name) => !known.has(name)).map((name) => `${path}: ${name}`);
    });
    expect(wrong).toEqual([]);
  });

  test('every dependency has its line in the list of dependencies, and no other is there', () => {
    const { dependencies = {}, optionalDependencies, devDependencies } = JSON.parse(readDocument('package.json')) as Record<string, Record<string, string>>;
    const listed = [...readDocument('docs/decisions/0007-dependencies.md').matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name);
    expect(listed.sort()).toEqual(Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies }).sort());
  });

  test('links between documents lead somewhere', () => {
    const broken = documents().flatMap((path) =>
      [...readDocument(path).replace(/```[^]*?```/g, '').matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].flatMap(([, target]) => {
        try {
          readDocument(join(path, '..', target!));
          return [];
        } catch (error) {
          return (error as NodeJS.ErrnoException).code === 'EISDIR' ? [] : [`${path}: ${target}`];
        }
      }),
    );
    expect(broken).toEqual([]);
  });
});

describe.concurrent('what the documents tell users to try', () => {
  test('R108 R088 the session in the README is what the command prints today', async () => {
    await withState(async (state) => {
      const program = process.env['RUNCTL_TEST_PROGRAM'];
      const { code, stderr } = await runProgram(process.execPath, [join(REPOSITORY, 'scripts/record-session.mjs'), '--check'], { state, env: program === undefined ? {} : { RUNCTL_TEST_PROGRAM: program } });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    });
  });

  test('R108 R280 the shell blocks of README and EXAMPLES_RUNNABLE run as written', async () => {
    const blocks = ['README.md', 'docs/EXAMPLES_RUNNABLE.md'].flatMap(blocksOf).filter((block) => block.attempt !== undefined);
    expect(blocks.map((block) => block.attempt)).toEqual(expect.arrayContaining(['in one shell', 'fails with 4']));
    const state = openState();
    try {
      copyTraining(state);
      let script = 'set -eu\n';
      for (const { attempt, text, where } of blocks) {
        const code = /^fails with (\d+)$/.exec(attempt!)?.[1];
        script += code === undefined ? `echo "--- ${where}" >&2\n${text}\n` : `set +e\n${text}\ncode=$?\nset -e\n[ "$code" = ${code} ] || { echo "${where} ended with $code" >&2; exit 99; }\n`;
      }
      const { code, stdout, stderr } = await runShell(script, { state, timeoutMs: 120_000 });
      expect({ code, tail: code === 0 ? '' : `${stdout.slice(-500)}\n${stderr.slice(-2_000)}` }).toEqual({ code: 0, tail: '' });
    } finally {
      await state.close();
    }
  }, 120_000);

  for (const path of exampleScripts()) {
    test(`R108 R109 ${path} runs as written against the sim, and leaves no machine`, async () => {
      await withState(async (state) => {
        copyTraining(state);
        cpSync(join(REPOSITORY, 'examples'), join(state.project, 'examples'), { recursive: true });
        const { code, stdout, stderr } = await runShell(`eval "$(runctl sim env)" && sh ./${path}`, { state, timeoutMs: 100_000 });
        expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
        expect(stdout).not.toBe('');
        const status = await runShell('runctl sim status --output json', { state });
        expect(Object.keys((JSON.parse(status.stdout) as { instances: object }).instances)).toEqual(['terminated']);
      });
    }, 120_000);

    test(`R109 ${path} ends early and clearly without credentials or bucket, and terminates its machine when it fails`, async () => {
      await withState(async (state) => {
        copyTraining(state);
        const script = join(REPOSITORY, path);
        const bare = await runProgram('sh', [script], { state });
        expect(bare.code).toBe(3);
        expect(bare.stderr).toContain('eval "$(runctl sim env)"');
        const bucketless = await runShell(`eval "$(runctl sim env)" && RUNCTL_AWS_S3_BUCKET=missing-bucket sh ${script}`, { state });
        expect(bucketless.code).toBe(3);
        expect(bucketless.stderr).toContain('no bucket missing-bucket');
        writeFileSync(join(state.project, 'broken.py'), 'raise SystemExit(3)\n');
        const failing = await runShell(`eval "$(runctl sim env)" && SCRIPT=broken.py sh ${script}`, { state, timeoutMs: 100_000 });
        expect(failing.code).not.toBe(0);
        const status = await runShell('runctl sim status --output json', { state });
        expect(Object.keys((JSON.parse(status.stdout) as { instances: object }).instances).filter((name) => name !== 'terminated')).toEqual([]);
      });
    }, 120_000);
  }
});
