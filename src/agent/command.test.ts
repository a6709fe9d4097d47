// One command for somebody who looks on, with the real scripts, real shells and real processes.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { Box, SHELLS, until } from '../../test/support/agent-box.ts';
import { type CommandChunk, parseCommand, parseCommandKilled } from './parse.ts';
import { type CommandSpec, renderCommand, renderCommandKill, renderCommandWatch } from './render.ts';
import { anyText } from '../../test/support/any-text.ts';

let box: Box;
afterEach(async () => {
  await box.remove();
});

let count = 0;
const newId = (): string => `test${++count}x${process.pid}`;

/** To its end, as runctl does it: by offsets, in windows as small as SSM's. */
async function run(words: string[], more: Partial<CommandSpec> = {}, maxBytes = 16_000): Promise<CommandChunk & { calls: number; id: string }> {
  const id = more.id ?? newId();
  const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const at = { stdout: 0, stderr: 0 };
  for (let calls = 1; ; calls += 1) {
    const window = { ...at, maxBytes, waitS: 5 };
    const answer = await box.run(calls === 1 ? renderCommand({ timeoutS: 0, ...more, id, words }, window) : renderCommandWatch(id, window));
    expect(answer.stdout.length).toBeLessThan(maxBytes * 1.34 + 1000);
    const chunk = parseCommand(answer);
    for (const stream of ['stdout', 'stderr'] as const) {
      parts[stream].push(chunk[stream]);
      at[stream] += chunk[stream].length;
    }
    if (chunk.state !== 'running' && at.stdout === chunk.stdoutBytes && at.stderr === chunk.stderrBytes) {
      return { ...chunk, stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr), calls, id };
    }
  }
}

describe.each(SHELLS)('with %s as sh', (shell) => {
  test('R055 arguments reach the command byte for byte, and its outputs and exit code come back the same way', async () => {
    box = new Box(shell);
    const source = 'import os,sys\nos.write(1, b"\\0".join(os.fsencode(a) for a in sys.argv[1:]))\nos.write(2, bytes(range(256)))\nsys.exit(len(sys.argv) % 200)';
    const check = async (args: string[]): Promise<void> => {
      const { stdout, stderr, exitCode, state } = await run(['python3', '-c', source, ...args]);
      expect({ state, exitCode }).toEqual({ state: 'ended', exitCode: (args.length + 1) % 200 });
      expect(stdout.toString()).toBe(args.join('\0'));
      expect(readdirSync(join(box.base, 'commands')).flatMap((id) => readdirSync(join(box.base, 'commands', id)))).not.toContain('command.sh');
      expect(stderr.equals(Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)))).toBe(true);
    };
    const corpus = ['', ' ', 'a b', "it's", "'", '"', '$HOME', '${x}', '$(id)', '`id`', '\\', '\\n', '\n', 'a\n\nb\n', '\r\n', '\t', '--', '-n', '--output', '*', '~', '!', '#', '%s', '&', '|', ';', '<', '{{x}}', '{{{{', 'ä€😀', '\x01\x7f', 'runctl-facts-end'];
    await check([]);
    await check(corpus);
    const text = anyText({ maxLength: 40 }).filter((value) => !value.includes('\0'));
    await fc.assert(fc.asyncProperty(fc.array(fc.oneof(text, fc.constantFrom(...corpus)), { maxLength: 30 }), check), { numRuns: 3 });
  });

  test('much output on both streams comes whole through a small window', async () => {
    box = new Box(shell);
    const { stdout, stderr, calls } = await run(['python3', '-c', 'import sys\nfor i in range(9000):\n  print("out", i)\n  print("err", i, file=sys.stderr)'], {}, 12_000);
    expect(stdout.toString()).toBe(Array.from({ length: 9000 }, (_, i) => `out ${i}\n`).join(''));
    expect(stderr.toString()).toBe(Array.from({ length: 9000 }, (_, i) => `err ${i}\n`).join(''));
    expect(calls).toBeGreaterThan(5);
  });

  test('it runs in the home, in the directory of the newest run, in that of a named one, or where it is told', async () => {
    box = new Box(shell);
    const where = async (more: Partial<CommandSpec> = {}): Promise<string> => (await run(['sh', '-c', 'pwd; echo "${RUNCTL_RUN_ID-none} $HOME"'], more)).stdout.toString();
    expect(await where()).toBe(`${box.home}\nnone ${box.home}\n`);
    const first = await box.start('pass');
    await box.ended(first);
    const second = await box.start('pass');
    await box.ended(second);
    expect(await where()).toBe(`${box.directory(second)}\n${second} ${box.home}\n`);
    expect(await where({ runId: first })).toBe(`${box.directory(first)}\n${first} ${box.home}\n`);
    expect(await where({ directory: 'code' })).toMatch(new RegExp(`^${box.directory(second)}/code\n`));
    mkdirSync(join(box.root, "it's here"));
    expect(await where({ directory: join(box.root, "it's here") })).toMatch(/it's here\n/);
    await expect(where({ directory: 'nowhere' })).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining(`there is no directory ${box.directory(second)}/nowhere`) });
    await expect(where({ runId: 'run-20200101-aaaaaa' })).rejects.toMatchObject({ code: 'not-found' });
    expect(await run(['no-such-program-here'])).toMatchObject({ exitCode: 127 });
    expect((await run(['cat'])).exitCode).toBe(0); // it has no input, rather than ours
  });

  test('what takes too long is ended on the machine itself, with its children, SIGTERM first', async () => {
    box = new Box(shell);
    const slow = await run(['sh', '-c', 'trap "echo saved; exit 9" TERM; echo on; while :; do sleep 0.05; done'], { timeoutS: 1 });
    expect(slow).toMatchObject({ state: 'ended', timedOut: true, exitCode: 9 });
    expect(slow.stdout.toString()).toBe('on\nsaved\n');
    expect(await run(['sh', '-c', 'exit 3'], { timeoutS: 60 })).toMatchObject({ timedOut: false, exitCode: 3 });
    const id = newId();
    await box.run(renderCommand({ id, words: ['sh', '-c', 'sleep 300 & echo $!; wait'], timeoutS: 0 }, { stdout: 0, stderr: 0, maxBytes: 100, waitS: 5 }));
    parseCommandKilled(await box.run(renderCommandKill(id, 2)));
    const killed = parseCommand(await box.run(renderCommandWatch(id, { stdout: 0, stderr: 0, maxBytes: 100, waitS: 5 })));
    expect(killed).toMatchObject({ state: 'ended', exitCode: 143 });
    const child = Number(killed.stdout.toString());
    await until('the child to be gone', async () => (existsSync(`/proc/${child}/stat`) ? undefined : true));
  });
});

test('the same id is started once; what has ended long ago is swept away by the next', async () => {
  box = new Box();
  const id = newId();
  const window = { stdout: 0, stderr: 0, maxBytes: 1000, waitS: 5 };
  const words = ['sh', '-c', 'echo x >>count; cat count'];
  for (let i = 0; i < 2; i += 1) expect(parseCommand(await box.run(renderCommand({ id, words, directory: box.home, timeoutS: 0 }, window))).stdout.toString()).toBe('x\n');
  const commands = join(box.base, 'commands');
  writeFileSync(join(commands, id, 'exit'), `0 ${Math.floor(Date.now() / 1000) - 700}\n`);
  const next = await run(['true']);
  expect(readdirSync(commands)).toEqual([next.id]);
  await expect(box.run(renderCommandWatch(id, window)).then(parseCommand)).rejects.toMatchObject({ message: expect.stringContaining('no command') });
});

test('a command whose supervisor was killed is lost, not running for ever', async () => {
  box = new Box();
  const id = newId();
  const window = { stdout: 0, stderr: 0, maxBytes: 1000, waitS: 1 };
  await box.run(renderCommand({ id, words: ['sleep', '300'], timeoutS: 0 }, window));
  const { readFileSync } = await import('node:fs');
  for (const file of ['supervisor', 'process']) process.kill(-Number(readFileSync(join(box.base, 'commands', id, file), 'utf8').split(' ')[0]), 'SIGKILL');
  expect(await until('the end', async () => {
    const chunk = parseCommand(await box.run(renderCommandWatch(id, window)));
    return chunk.state === 'running' ? undefined : chunk;
  })).toMatchObject({ state: 'lost' });
});
