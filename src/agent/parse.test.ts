// The texts alone: what parse.ts makes of answers, and what render.ts and quote.ts may never produce.
import { spawnSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import commandSh from './agent-command.sh?raw';
import launchSh from './agent-launch.sh?raw';
import agentSh from './agent.sh?raw';
import { parseLaunch, parseStatus, parseWatch } from './parse.ts';
import { shellQuote } from '../core/quote.ts';
import { renderCommand, renderCommandKill, renderCommandWatch, renderJobs, renderLaunch, renderLog, renderMachine, renderPackOutputs, renderStatus, renderStop, renderWatch } from './render.ts';
import { anyText } from '../../test/support/any-text.ts';

const RUN = 'run-20261122-k3f9q2';
const b64 = (text: string): string => Buffer.from(text).toString('base64');
const FACTS = `runctl-facts-begin\nphase=failed\nrun_id=${RUN}\npid=17\nexit_code=3\nstarted_at=1700000000\nended_at=1700000009\nscript64=${b64('träin.py')}\noffset=5\nbytes64=/wA=\nrunctl-facts-end\n`;

describe('parse', () => {
  test('values get their types; noise around them does no harm', () => {
    const status = { phase: 'failed', runId: RUN, pid: 17, exitCode: 3, startedAt: 1_700_000_000_000, endedAt: 1_700_000_009_000, script: 'träin.py' };
    expect(parseStatus(FACTS)).toEqual(status);
    expect(parseStatus(`*** Welcome ***\nphase=none\n${FACTS}logout\n`)).toEqual(status);
    expect(parseStatus(FACTS.replaceAll('\n', '\r\n'))).toEqual(status);
    expect(parseWatch(FACTS)).toEqual({ status, offset: 5, bytes: Buffer.from([255, 0]) });
  });

  test('an answer cut at any place is an error or the whole answer, never half of it', () => {
    const whole = parseWatch(FACTS);
    for (let at = 0; at < FACTS.length; at += 1) {
      let cut: unknown;
      try {
        cut = parseWatch(FACTS.slice(0, at));
      } catch (error) {
        expect(error).toMatchObject({ name: 'RunctlError', code: 'answer-broken' });
        continue;
      }
      expect(cut).toEqual(whole);
    }
  });

  test('no answer: the error says what the shell said', () => {
    const answer = { exitCode: 127, stdout: '', stderr: 'sh: 1: base64: not found\n' };
    expect(() => parseStatus(answer)).toThrow('no answer of the agent (exit code 127): sh: 1: base64: not found');
  });

  test('values that cannot be are refused', () => {
    for (const [from, to] of [['phase=failed', 'phase=done'], ['pid=17', 'pid=x'], ['exit_code=3', 'exit_code=-1'], ['/wA=', '/wA'], ['/wA=', '/w*=']] as const) {
      expect(() => parseWatch(FACTS.replace(from, to)), to).toThrow(expect.objectContaining({ code: 'answer-broken' }));
    }
  });

  test('a refused launch names the job that runs and what to type', () => {
    const context = { machineId: 'i-1', provider: 'aws', runId: 'run-20261122-aaaaaa' };
    const facts = FACTS.replace('phase=failed', 'outcome=refused\nphase=running').replace('exit_code=3\n', '');
    expect(() => parseLaunch(facts, context)).toThrow(expect.objectContaining({ code: 'job-running', message: `a training job already runs on i-1: träin.py (${RUN}, pid 17, since 2023-11-14T22:13:20.000Z)` }));
  });

  test('the tail of a log that was cut inside a character begins with a whole one', () => {
    const tail = Buffer.from('€ end').subarray(1);
    expect(parseStatus(FACTS.replace('phase', `log_tail64=${tail.toString('base64')}\nphase`)).logTail).toBe(' end');
  });
});

describe('render', () => {
  const spec = { runId: RUN, script: '{{x}}.py', args: ['{{ssm:secret}}', '{{{', "{'{"], env: { A: '{{' } };
  const window = { stdout: 0, stderr: 0, maxBytes: 1, waitS: 1 };
  const commands = [renderJobs(), renderCommand({ id: 'abcdef', words: ['{{x}}', '{{{'], directory: '/{{', timeoutS: 0 }, window), renderCommandWatch('abcdef', window), renderCommandKill('abcdef', 1), renderMachine(10, 0.5)];
  const scripts = [renderLaunch(spec), renderStatus(), renderWatch(RUN, 0, 1, 1), renderLog(RUN, 0, 1), renderStop(RUN, 1), renderPackOutputs(RUN), ...commands];

  test('no script holds two opening braces in a row, which Systems Manager would interpret', () => {
    for (const text of [agentSh, launchSh, ...scripts]) expect(text).not.toContain('{{');
  });

  test('the scripts stay far below the 64 KB of a document, base64 included', () => {
    for (const script of scripts) expect(Math.ceil(script.length / 3) * 4).toBeLessThan(48_000);
  });

  test('sh parses every script', () => {
    for (const script of scripts) expect(spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  const shellcheck = spawnSync('shellcheck', ['--version']);
  test.skipIf(shellcheck.error !== undefined)('shellcheck finds nothing', () => {
    // As they are sent: the longest script holds all of them.
    const input = [agentSh, launchSh, commandSh].join('\n');
    expect(spawnSync('shellcheck', ['-s', 'sh', '-'], { input, encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '' });
  });

  test('what no shell or process can take is refused before anything is sent', () => {
    expect(() => renderLaunch({ ...spec, args: ['a\0b'] })).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(() => renderLaunch({ ...spec, env: { 'A-B': '' } })).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(() => renderLaunch({ ...spec, env: { '1A': '' } })).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(() => renderLaunch({ ...spec, codeDirectory: 'code' })).toThrow(RangeError);
    expect(() => renderStatus('run; rm -rf /')).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(() => renderWatch(RUN, -1, 1, 1)).toThrow(RangeError);
    expect(() => renderPackOutputs(RUN, { file: 'here' })).toThrow(RangeError);
    expect(() => renderCommandWatch('../x', window)).toThrow(RangeError);
    expect(() => renderMachine(1, 0)).toThrow(RangeError);
    expect(() => renderLaunch({ ...spec, log: 'logs/' })).toThrow(RangeError);
  });
});

test('R055 shellQuote: sh gives back every text as it was', () => {
  const text = anyText().filter((value) => !value.includes('\0'));
  fc.assert(
    fc.property(fc.array(fc.oneof(text, fc.constantFrom('{{', '{{{{{', "'{{'", "'", '\\', '$x', '\n')), { minLength: 1 }), (texts) => {
      const words = texts.map(shellQuote).join(' ');
      expect(words).not.toContain('{{');
      const { stdout } = spawnSync('sh', ['-c', `printf '%s\\0' ${words}`], { encoding: 'utf8' });
      expect(stdout).toBe(texts.map((value) => `${value}\0`).join(''));
    }),
    { numRuns: 60 },
  );
});
