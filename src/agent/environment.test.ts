// The job's variables on their way to the run directory, with real shells, real Python and real files.
import { existsSync, lstatSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { Box, SHELLS } from '../../test/support/agent-box.ts';
import { checkDelivered, renderKey, renderPlainEnvironment, renderSealedEnvironment } from './environment.ts';

let box: Box;
afterEach(async () => {
  await box.remove();
});

const CANARY = 'canary 秘密 \'"$HOME `id` {{ x }} \\ \n\ttwo lines';
const PRINTS = 'import os,json\nprint(json.dumps({k: v for k, v in os.environ.items() if k.startswith("MY_")}))\n';

describe.each(SHELLS)('with %s as sh', (shell) => {
  test('R270 sealed variables reach the job byte for byte, and neither scripts, answers nor files left behind hold them', async () => {
    box = new Box(shell);
    const runId = await box.prepare('job.py', PRINTS);
    const directory = box.directory(runId);
    const key = await box.run(renderKey(directory));
    expect(statSync(join(directory, 'key')).mode & 0o777).toBe(0o600);
    const sealed = renderSealedEnvironment(directory, { MY_SECRET: CANARY, MY_EMPTY: '' }, key);
    const answer = await box.run(sealed);
    checkDelivered(answer);
    expect(statSync(join(directory, 'env.sh')).mode & 0o777).toBe(0o600);
    expect(existsSync(join(directory, 'key'))).toBe(false);
    for (const text of [sealed, Buffer.from(sealed).toString('base64'), JSON.stringify([key, answer])]) expect(text).not.toContain('canary');
    checkDelivered(await box.run(sealed)); // the answer may have been lost
    await box.launch({ runId, script: 'job.py' });
    expect(await box.ended(runId)).toMatchObject({ phase: 'succeeded' });
    expect(JSON.parse(box.read(runId, 'training.log')!)).toEqual({ MY_SECRET: CANARY, MY_EMPTY: '' });
    const left = readdirSync(directory).filter((name) => name !== 'training.log' && lstatSync(join(directory, name)).isFile());
    expect(left).not.toContain('env.sh');
    for (const name of left) expect(readFileSync(join(directory, name), 'utf8'), name).not.toContain('canary');
  });
});

test('R270 what was changed on the way, or sealed for another key, is refused and nothing is written', async () => {
  box = new Box();
  const runId = await box.prepare('job.py', PRINTS);
  const directory = box.directory(runId);
  const sealed = renderSealedEnvironment(directory, { MY_SECRET: CANARY }, await box.run(renderKey(directory)));
  const cipher = /'([A-Za-z0-9+/]+=*)' '[0-9a-f]{64}'/.exec(sealed)![1]!;
  const changed = sealed.replace(cipher, `${cipher[0] === 'A' ? 'B' : 'A'}${cipher.slice(1)}`);
  const answer = await box.run(changed);
  expect(() => checkDelivered(answer)).toThrow(expect.objectContaining({ code: 'sync-failed', reason: expect.stringContaining('changed on the way') as string }));
  expect(existsSync(join(directory, 'env.sh'))).toBe(false);
  expect(() => renderSealedEnvironment(directory, {}, { exitCode: 127, stdout: '', stderr: 'sh: python3: not found\n' })).toThrow(expect.objectContaining({ reason: expect.stringContaining('python3: not found') as string }));
  // A half-written file of a try that was killed is no obstacle.
  writeFileSync(join(directory, 'env.sh.new'), 'half');
  checkDelivered(await box.run(sealed));
});

test('R270 a key of the machine that would give the secret away is refused', async () => {
  box = new Box();
  for (const weak of ['0', '1']) expect(() => renderSealedEnvironment('/x', { A: 'b' }, { exitCode: 0, stdout: `runctl-seal ${weak.padStart(512, '0')}\n`, stderr: '' })).toThrow();
});

test('R270 any values survive, sealed or plain', async () => {
  box = new Box();
  const env = fc.dictionary(fc.stringMatching(/^MY_[A-Z0-9]{1,8}$/), fc.string({ unit: 'grapheme', maxLength: 60 }).filter((text) => !text.includes('\0') && !/\p{Surrogate}/u.test(text)), { minKeys: 1, maxKeys: 4 });
  await fc.assert(fc.asyncProperty(env, fc.boolean(), async (values, plain) => {
    const runId = await box.prepare('job.py', PRINTS);
    const directory = box.directory(runId);
    checkDelivered(await box.run(plain ? renderPlainEnvironment(directory, values) : renderSealedEnvironment(directory, values, await box.run(renderKey(directory)))));
    const source = join(box.root, 'read.sh');
    writeFileSync(source, `. '${directory}/env.sh'\nexec python3 -I -c "$1"\n`);
    const read = await box.run(`sh '${source}' '${PRINTS.replaceAll("'", '"')}'\n`);
    expect(JSON.parse(Buffer.from(read.stdout, 'latin1').toString('utf8'))).toEqual({ ...values });
  }), { numRuns: 8 });
});
