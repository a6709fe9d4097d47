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
import { type Block, type DocCommand, blocksOf, commandsInSource, commandsOfDocument, commandsOfScript, documents, exampleScripts, parseCommand, readDocument, splitShell } from './support/doc-commands.ts';

async function wrongOnes(commands: readonly DocCommand[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const { where, words } of commands) await parseCommand(words).catch((error: Error) => wrong.push(`${where}: runctl ${words.join(' ')}: ${error.message}`));
  return wrong;
}

describe('every command line that is written down', () => {
  test('R108 R280 in README, docs and examples is one that runctl understands', async () => {
    const inDocuments = documents().flatMap(commandsOfDocument);
    const inScripts = exampleScripts().flatMap((path) => commandsOfScript(readDocument(path), path));
    expect(exampleScripts()).toEqual(['complete_workflow.sh', 'quick_test.sh', 'spot_training.sh', 'workflow_train_example.sh'].map((name) => join('examples', name)));
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

  test('D45 R079 R108 in the hints of errors and notes is one that runctl understands', async () => {
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

  test('D40 R118 every command takes --output, and none redefines a flag of all commands', async () => {
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
    const guides = documents().filter((path) => path === 'README.md' || (/^docs\/[^/]+$/.test(path) && !readDocument(path).startsWith('<!-- Generated')));
    expect(guides).toEqual(expect.arrayContaining(['docs/EXAMPLES.md', 'docs/training.md', 'docs/machines.md', 'docs/when-things-go-wrong.md', 'docs/troubleshooting.md']));
    for (const path of guides) {
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

  test('D43 every setting and every environment variable of ours that is named exists', () => {
    const known = new Set(allSettings().flatMap(({ name }) => [name, variableOf(name)]));
    const given = ['RUNCTL_CHECKPOINT_DIR', 'RUNCTL_RUN_ID', 'RUNCTL_RUN_DIR', 'RUNCTL_CODE_DIR', 'RUNCTL_DEVICE', 'RUNCTL_SIM_CLOCK', 'RUNCTL_TEST_PROGRAM', ...['', '_ENDPOINT', '_MAX_USD_PER_HOUR', '_PROFILE', '_TYPE'].map((end) => `RUNCTL_LIVE${end}`)];
    const wrong = documents().flatMap((path) => {
      const text = readDocument(path);
      const names = [
        ...[...text.matchAll(/`((?:aws|train|local|lease|budget|sync|sim)\.[a-z0-9_]+)`/g)].map(([, name]) => name!),
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

  test('README leads to every page below docs/, and every decision says what was asked, chosen, why, and what would change it', () => {
    const linked = [...readDocument('README.md').matchAll(/\]\((docs\/[^)#]+)/g)].map(([, target]) => target);
    const pages = documents().filter((path) => /^docs\/[^/]+$/.test(path));
    expect(pages.filter((path) => !linked.includes(path))).toEqual([]);
    for (const path of documents().filter((name) => name.startsWith('docs/decisions/'))) {
      const [, number] = /decisions\/0*(\d+)-/.exec(path)!;
      const text = readDocument(path);
      expect(text, path).toMatch(new RegExp(`^# ${number}\\. `));
      for (const part of ['Question', 'Choice', 'What would change it']) expect(text, path).toContain(`**${part}.**`);
    }
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

/** Pages whose shell blocks, from the first to the last, are one session in the built-in cloud. */
const RUNNABLE = ['README.md', 'docs/EXAMPLES_RUNNABLE.md', 'docs/cost.md', 'docs/security.md', 'docs/weather.md', 'docs/when-things-go-wrong.md'];
/** What is done to machines: each is tried somewhere in these pages. */
const MACHINE_VERBS = Object.keys(WORDS).filter((words) => words.startsWith('aws ')).map((words) => words.slice(4)).filter((verb) => verb !== 'policy');

type Attempt = Pick<Block, 'attempt' | 'text' | 'where'>;

const attemptsOf = (path: string): Block[] => blocksOf(path).filter((block) => block.attempt !== undefined);
const sessionOf = (path: string): string => session(attemptsOf(path));

/** One script that says where it is and ends with 99 when a block does not fail as it should. */
function session(blocks: readonly Attempt[]): string {
  const parts = blocks.map(({ attempt, text, where }) => {
    const code = /^fails with (\d+)$/.exec(attempt!)?.[1];
    if (code === undefined) return `echo "--- ${where}" >&2\n${text}\n`;
    return `set +e\n${text}\ncode=$?\nset -e\n[ "$code" = ${code} ] || { echo "${where} ended with $code" >&2; exit 99; }\n`;
  });
  return `set -eu\n${parts.join('')}`;
}

describe.concurrent('what the documents tell users to try', () => {
  test('R108 R088 the session in the README is what the command prints today', async () => {
    await withState(async (state) => {
      const program = process.env['RUNCTL_TEST_PROGRAM'];
      const { code, stderr } = await runProgram(process.execPath, [join(REPOSITORY, 'scripts/record-session.mjs'), '--check'], { state, env: program === undefined ? {} : { RUNCTL_TEST_PROGRAM: program } });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    });
  });

  test('R108 R280 the pages that are one session have one, with commands that work and commands that fail as announced', () => {
    const attempts = RUNNABLE.map((path) => attemptsOf(path).map((block) => block.attempt));
    expect(attempts.every((kinds) => kinds.includes('in one shell'))).toBe(true);
    expect(attempts.flat()).toEqual(expect.arrayContaining(['fails with 2', 'fails with 4']));
    expect(documents().filter((path) => !RUNNABLE.includes(path) && attemptsOf(path).length > 0)).toEqual([]);
    const tried = new Set(RUNNABLE.flatMap(attemptsOf).flatMap(({ text, where }) => commandsOfScript(text, where)).map(({ words }) => words.slice(0, words[0] === 'sim' && words[1] === 'weather' ? 3 : 2).join(' ')));
    for (const verb of MACHINE_VERBS) expect(tried, verb).toContain(`aws ${verb}`);
  });

  for (const path of RUNNABLE) {
    // `npm run check` has five minutes: it plays what newcomers read first, `npm test` all of it.
    const shortly = process.env['RUNCTL_MATRIX'] === 'few' && !['README.md', 'docs/cost.md'].includes(path);
    test.skipIf(shortly)(`R108 R114 R280 the shell blocks of ${path} run as written, one after the other`, async () => {
      const state = openState();
      try {
        copyTraining(state);
        const { code, stdout, stderr } = await runShell(sessionOf(path), { state, timeoutMs: 180_000 });
        expect({ code, tail: code === 0 ? '' : `${stdout.slice(-500)}\n${stderr.slice(-2_000)}` }).toEqual({ code: 0, tail: '' });
        const status = await runShell('runctl sim status --output json', { state });
        expect(Object.keys((JSON.parse(status.stdout) as { instances?: object }).instances ?? {}).filter((name) => name !== 'terminated')).toEqual([]);
      } finally {
        await state.close();
      }
    }, 200_000);
  }

  test('R280 a block that does not fail as announced, and one that fails unannounced, are seen', async () => {
    await withState(async (state) => {
      const unexpected = await runShell(session([{ attempt: 'fails with 4', text: 'true', where: 'x:1' }]), { state });
      expect(unexpected).toMatchObject({ code: 99, stderr: expect.stringContaining('x:1 ended with 0') as string });
      const failing = await runShell(session([{ attempt: 'in one shell', text: 'false', where: 'x:1' }, { attempt: 'in one shell', text: 'echo on', where: 'x:5' }]), { state });
      expect(failing.code).not.toBe(0);
      expect(failing.stdout).not.toContain('on');
    });
  });

  test('R109 an example that is ended in the middle terminates its machine', async () => {
    await withState(async (state) => {
      copyTraining(state);
      const script = `eval "$(runctl sim env)"
        sh ${join(REPOSITORY, 'examples/complete_workflow.sh')} >&2 & pid=$!
        until runctl sim status --output json | grep -Eq '"(pending|running)": ?1'; do sleep 0.1; done
        kill -TERM $pid; code=0; wait $pid || code=$?; echo "ended with $code"; runctl sim status --output json`;
      const { stdout, stderr } = await runShell(script, { state, timeoutMs: 100_000 });
      expect({ code: /^ended with (\d+)$/m.exec(stdout)?.[1], stderr }).toEqual({ code: '130', stderr: expect.stringContaining('is terminated') as string });
      expect(Object.keys((JSON.parse(stdout.slice(stdout.indexOf('{'))) as { instances: object }).instances)).toEqual(['terminated']);
    });
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
