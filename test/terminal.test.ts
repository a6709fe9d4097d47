// Hostile text, from everywhere that text comes from, on a real terminal (a pseudo terminal of Python's) and in a pipe.
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CliState, type Outcome, openState, runCli, runProgram, runShell } from './support/cli.ts';

let state: CliState;
beforeAll(() => {
  state = openState();
  writeFileSync(join(state.project, 'pyproject.toml'), '[project]\nname = "x"\n');
});
afterAll(() => state.close());

/** As a person sees it: stdin, stdout and stderr are one terminal. */
function onTerminal(args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  const spawn = 'import os,pty,sys\nsys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';
  return runProgram('python3', ['-c', spawn, 'runctl', ...args], { state, env: { TERM: 'xterm', FORCE_COLOR: '', ...env } });
}

/** What of it a terminal would obey, beside colours and our own wiping of the live line. */
function obeyed(text: string): string[] {
  const rest = text.replaceAll('\r\u001b[2K', '').replaceAll('\r\n', '\n').replace(/\u001b\[[0-9;]*m/g, '');
  return rest.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g) ?? [];
}

const EVIL = '\u001b]0;owned\u0007\u001b[2J\u001b[1;1H\u001b[6n\u0008\u202egnp.\u009b2J';
const LOG = `import os, sys
sys.stdout.write(${JSON.stringify(`plain\n${EVIL}\n\u001b[32mgreen\u001b[0m\n10%\r100%\n`)})
sys.stdout.flush()
os.write(1, b"\\xff\\xfe broken\\n")
open(os.path.join(os.environ["RUNCTL_CHECKPOINT_DIR"], ${JSON.stringify('\u001b]0;x\u0007\u202e.pt')}), "w").write("1")
print(f"saved {os.environ['RUNCTL_CHECKPOINT_DIR']}/" + ${JSON.stringify('\u001b[2J.pt')})
sys.exit(int(sys.argv[1]))
`;

describe.runIf(process.platform === 'linux')('R272 hostile text', () => {
  test('R272 a job that prints sequences and saves a file of such a name, good and failing, on a terminal', async () => {
    writeFileSync(join(state.project, 'evil.py'), LOG);
    for (const [code, exit] of [['0', 0], ['3', 4]] as const) {
      const seen = await onTerminal(['local', 'evil.py', '--', code]);
      expect(seen.code, seen.stdout).toBe(exit);
      expect(seen.stdout).toContain('␛]0;owned␇');
      expect(seen.stdout).toContain('\u001b[32mgreen\u001b[0m');
      expect(seen.stdout).toContain('100%');
      expect(obeyed(seen.stdout)).toEqual([]);
    }
    for (const words of [['runs', 'list'], ['runs', 'show']]) expect(obeyed((await onTerminal(words)).stdout), words.join(' ')).toEqual([]);
  });

  test('R272 words of the command line come back harmless', async () => {
    for (const words of [['aws', 'status', EVIL], ['runs', 'show', EVIL], [EVIL], ['aws', EVIL], ['local', `${EVIL}.py`], ['runs', 'list', `--${EVIL}`], ['runs', 'list', '--output', EVIL], ['config', 'set', EVIL, '1'], ['aws', 'create', EVIL, '--sim']]) {
      const seen = await onTerminal(words);
      expect(seen.code, JSON.stringify(words)).not.toBe(0);
      expect(seen.code, seen.stdout).not.toBe(70);
      expect(obeyed(seen.stdout), seen.stdout).toEqual([]);
    }
  });

  test('R272 what a server says comes back harmless, however long it is', async () => {
    const message = `${EVIL.replace(/[\u0000-\u001f]/g, (char) => `&#${char.charCodeAt(0)};`)}${'x'.repeat(100_000)}`;
    const server = createServer((_request, response) => {
      response.writeHead(400, { 'content-type': 'text/xml' });
      response.end(`<Response><Errors><Error><Code>Evil\u202e</Code><Message>${message}</Message></Error></Errors><RequestID>\u202e\u009b2J</RequestID></Response>`);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const env = { AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_REGION: 'us-east-1' };
    try {
      for (const words of [['doctor'], ['aws', 'terminate', 'i-0123456789abcdef0', '--yes', '--verbose'], ['aws', 'terminate', 'i-0123456789abcdef0', '--yes', '--output', 'json'], ['aws', 'terminate', 'i-0123456789abcdef0', '--yes', '--output', 'jsonl']]) {
        const seen = await onTerminal(words, env);
        expect(seen.code, seen.stdout).not.toBe(70);
        expect(obeyed(seen.stdout), seen.stdout.slice(0, 3000)).toEqual([]);
        expect(seen.stdout.length).toBeLessThan(20_000);
      }
    } finally {
      server.close();
    }
  });

  test('R272 R074 the log in a pipe is the log: sequences, carriage returns and all', async () => {
    await runCli(['sim', 'start'], { state });
    const run = (args: string[]): Promise<Outcome> => runCli([...args, '--sim'], { state });
    const id = (await run(['aws', 'create', 't3.micro', '--iam-instance-profile', 'runctl-ssm-profile', '--wait', '--output', 'instance-id'])).stdout.trim();
    const text = `\ufeffplain\n${EVIL}\n10%\r100%\n\u0000\ttab é 数\n`;
    const log = Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0xfe, 0x80, 0x0a, 0xe9])]);
    writeFileSync(join(state.project, 'log.py'), `import sys\nsys.stdout.buffer.write(bytes.fromhex("${log.toString('hex')}"))\n`);
    expect((await run(['aws', 'train', id, 'log.py', '--wait'])).code).toBe(0);
    const piped = await runShell(`runctl aws monitor ${id} --sim | od -An -v -tx1 | tr -d ' \\n'`, { state });
    expect(Buffer.from(piped.stdout, 'hex').equals(log), piped.stdout).toBe(true);
    const seen = await onTerminal(['aws', 'monitor', id, '--sim']);
    expect(obeyed(seen.stdout)).toEqual([]);
    expect(seen.stdout).toContain('␛]0;owned␇');
    await run(['aws', 'terminate', id, '--yes']);
  });

  test('R272 ids of machines and runs that lead elsewhere are refused, never a bug, never a path', async () => {
    const hostile = fc.oneof(fc.constantFrom('../../etc/passwd', '/etc/passwd', '..', 'run-20260101-abc234/../../x', '$(id)', '`id`', ';id', '-x', '--', '\n', 'i-0abc def', '%00', 'I-0123456789ABCDEF0'), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !text.includes('\0')));
    await fc.assert(fc.asyncProperty(hostile, async (word) => {
      for (const args of [['aws', 'training-status', 'i-0123456789abcdef0', `--run=${word}`, '--sim'], ['runs', 'show', `./${word}`], ['aws', 'status', `x${word}`, '--sim']]) {
        const { code, stderr } = await runCli(args, { state });
        expect([1, 3], `${JSON.stringify(args)} ${stderr}`).toContain(code);
      }
    }), { numRuns: 8 });
  }, 120_000);
});
