import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseLaunch, parseStatus } from '../../agent/parse.ts';
import { renderLaunch, renderPrepare, renderStatus } from '../../agent/render.ts';
import { createLocalProvider } from './local-provider.ts';

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
