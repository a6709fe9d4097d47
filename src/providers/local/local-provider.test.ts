import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCommand, parseLaunch, parseStatus } from '../../agent/parse.ts';
import { renderCommand, renderCommandWatch, renderLaunch, renderPrepare, renderStatus } from '../../agent/render.ts';
import { newRunId } from '../../core/ids.ts';
import { createLocalProvider } from './local-provider.ts';
import { anyText } from '../../../test/support/any-text.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'runctl-local-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }));

const provider = (env: Record<string, string> = {}) => createLocalProvider({ base: join(directory, 'base'), env: { ...process.env, ...env } });

describe('this machine as a provider', () => {
  // Root's home is where the agent on a cloud machine would go looking for the login user; here the caller is the user.
  test.each(['/', '/root', ''])('the job runs as whoever calls, with HOME=%j', async (HOME) => {
    const shell = await provider({ HOME }).shell({ id: 'local' });
    writeFileSync(join(directory, 'who.py'), 'import os\nprint("uid", os.getuid())\n');
    const runId = 'run-20260101-abcdef';
    await shell.run(renderPrepare(runId));
    const answer = await shell.run(renderLaunch({ runId, script: 'who.py', args: [], env: {}, codeDirectory: directory }));
    expect(parseLaunch(answer, { machineId: 'local', provider: 'local', runId }).outcome).toBe('launched');
    let now = parseStatus(await shell.run(renderStatus(runId)));
    for (let i = 0; i < 100 && now.phase !== 'succeeded' && now.phase !== 'failed'; i++) now = parseStatus(await shell.run(renderStatus(runId)));
    expect(now).toMatchObject({ phase: 'succeeded', logTail: `uid ${process.getuid!()}\n` });
  });

  test('R055 arguments reach the script byte for byte on this machine too, and those of a command', async () => {
    const shell = await provider().shell({ id: 'local' });
    writeFileSync(join(directory, 'dump.py'), 'import os, sys\nos.write(1, b"\\0".join(map(os.fsencode, sys.argv[1:])))\n');
    const hard = ['', ' ', 'a b', '"', "'", '$HOME', '`id`', '\\', '\n', '-x', '--output', '--', '*', '~', '{{x}}', 'ü 漢字 🚀', '!', '#', ';', '|', '%s', '\u0001', '\r'];
    const text = anyText({ maxLength: 20 }).map((value) => Buffer.from(value.replaceAll('\0', '')).toString());
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.constantFrom(...hard), text), { maxLength: 12 }), async (args) => {
        const runId = newRunId(Date.now());
        await shell.run(renderLaunch({ runId, script: 'dump.py', args, env: {}, codeDirectory: directory }));
        let now = parseStatus(await shell.run(renderStatus(runId)));
        for (let i = 0; i < 200 && now.phase !== 'succeeded' && now.phase !== 'failed'; i++) now = parseStatus(await shell.run(renderStatus(runId)));
        expect(readFileSync(now.logPath!).toString()).toBe(args.join('\0'));
        const window = { stdout: 0, stderr: 0, maxBytes: 100_000, waitS: 10 };
        const id = `c${runId.replaceAll('-', '')}`;
        let seen = parseCommand(await shell.run(renderCommand({ id, words: ['python3', join(directory, 'dump.py'), ...args], timeoutS: 0 }, window)));
        while (seen.state === 'running') seen = parseCommand(await shell.run(renderCommandWatch(id, window)));
        expect(seen.stdout.toString()).toBe(args.join('\0'));
      }),
      { numRuns: 3, examples: [[hard]] },
    );
  });

  test('scripts get no input, and a script that takes too long is ended with its children', async () => {
    const shell = await provider().shell({ id: 'local' });
    expect(await shell.run('cat; echo "$0" | tr -d /')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/script\.sh\n$/) });
    expect((await shell.run('sleep 60 & wait', { timeoutMs: 100 })).exitCode).toBe(137);
  });

  test('Ctrl-C ends the script with the reason that was given', async () => {
    const shell = await provider().shell({ id: 'local' });
    const abort = new AbortController();
    const running = shell.run('sleep 60', { signal: abort.signal });
    abort.abort(new Error('ctrl-c'));
    await expect(running).rejects.toThrow('ctrl-c');
  });

  test('it cannot be created, stopped or terminated, and says so', async () => {
    await expect(provider().terminate('local')).rejects.toMatchObject({ code: 'usage', message: 'this machine cannot be terminated' });
    expect(await provider().find('i-1')).toBeUndefined();
  });
});
