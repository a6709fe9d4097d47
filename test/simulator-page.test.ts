// The page about the pretend cloud is held against the cloud itself: what it lists is answered, what it does not list is refused.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BEGIN, END, headsOf, registeredOperations, simulatorPage } from '../scripts/simulator-page.ts';
import { assembleSim } from '../src/sim/assemble.ts';
import type { Sim } from '../src/sim/create-sim.ts';
import { readDocument } from './support/doc-commands.ts';
import { signatureOf } from './support/sign-request.ts';

const page = readDocument('docs/simulator.md');
const generated = page.slice(page.indexOf(BEGIN), page.indexOf(END));
const section = (title: string): string => new RegExp(`### ${title}\\n([^]*?)(?=\\n### |$)`).exec(generated)?.[1] ?? '';
const listed = (title: string): string[] => [...(/^\d+ operations: (.+)\.$/m.exec(section(title))?.[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

/** How each service is called: its name in the signature, and its form on the wire. */
const WIRE: Record<string, { name: string; version?: string; target?: string; unknown: RegExp }> = {
  EC2: { name: 'ec2', version: '2016-11-15', unknown: /<Code>InvalidAction</ },
  IAM: { name: 'iam', version: '2010-05-08', unknown: /<Code>InvalidAction</ },
  STS: { name: 'sts', version: '2011-06-15', unknown: /<Code>InvalidAction</ },
  SSM: { name: 'ssm', target: 'AmazonSSM', unknown: /UnknownOperationException/ },
  Pricing: { name: 'pricing', target: 'AWSPriceListService', unknown: /UnknownOperationException/ },
  'Service Quotas': { name: 'servicequotas', target: 'ServiceQuotasV20190624', unknown: /UnknownOperationException/ },
};

let directory: string;
let sim: Sim;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'runctl-page-'));
  sim = await assembleSim({ directory, dial: 'instant', isolation: 'process', log: () => undefined });
});
afterAll(async () => {
  await sim.close();
  rmSync(directory, { recursive: true, force: true });
});

/** What an operation without parameters is answered: anything but "unknown" means that somebody is there. */
function ask(title: string, operation: string): Promise<string> {
  const { name, version, target } = WIRE[title]!;
  const body = version ? `Action=${operation}&Version=${version}` : '{}';
  const headers: Record<string, string> = version ? { 'content-type': 'application/x-www-form-urlencoded' } : { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `${target}.${operation}` };
  const signed = signatureOf({ ...sim.credentials(), service: name, region: 'us-east-1', method: 'POST', path: '/', host: `127.0.0.1:${sim.port}`, headers, payloadHash: createHash('sha256').update(body).digest('hex'), atMs: Date.now() });
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port: sim.port, method: 'POST', path: '/', headers: signed }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part)).on('end', () => resolve(text));
    });
    call.on('error', reject).end(body);
  });
}

describe('R209 the page about the pretend cloud', () => {
  test.each(Object.keys(WIRE))('R209 every operation of %s that the page lists is answered, and one that it does not list is refused by name', async (title) => {
    const names = listed(title);
    expect(names.length).toBeGreaterThan(0);
    // Each is asked in a way that changes nothing: without parameters.
    for (const operation of names) expect(await ask(title, operation), operation).not.toMatch(WIRE[title]!.unknown);
    expect(await ask(title, 'RequestSpotDatafeedOnTheMoon')).toMatch(WIRE[title]!.unknown);
  });

  test('R209 what is registered is what the page lists, service by service', () => {
    const operations = registeredOperations();
    for (const [title, names] of Object.entries(operations)) expect(listed(title), `${title}: run "npm run docs"`).toEqual(names);
    expect(operations['S3']).toEqual(expect.arrayContaining(['PutObject', 'CompleteMultipartUpload', 'HeadBucket', 'ListObjectsV2']));
  });

  test('R209 every part that has gaps or differs by design says so in the page', () => {
    for (const [title, folder] of [['EC2', 'ec2'], ['SSM', 'ssm'], ['S3', 's3'], ['IAM', 'iam'], ['STS', 'sts'], ['Pricing', 'pricing'], ['Service Quotas', 'service-quotas'], ['IMDS', 'imds']] as const) {
      const heads = headsOf(`src/sim/aws/${folder}`);
      expect(heads.some(({ gaps }) => gaps !== undefined), `${title} has no gaps at all?`).toBe(true);
      for (const { file, gaps, byDesign } of heads) {
        if (gaps === undefined && byDesign === undefined) continue;
        expect(section(title), `${title}: run "npm run docs"`).toContain(`| ${file.replace('.ts', '')} |`);
      }
    }
  });

  test('R209 the overview has a row for every service', () => {
    const overview = /## Services\n([^]*?)\n## /.exec(page)?.[1] ?? '';
    for (const title of [...Object.keys(registeredOperations()), 'IMDS']) expect(overview).toMatch(new RegExp(`^\\| ${title} \\| .+ \\|$`, 'm'));
  });

  test('the generated part comes between its marks, and only that is touched', () => {
    const made = simulatorPage(`before\n${BEGIN}\nold\n${END}\nafter\n`);
    expect(made.startsWith('before\n')).toBe(true);
    expect(made.endsWith(`${END}\nafter\n`)).toBe(true);
    expect(made).not.toContain('\nold\n');
    expect(() => simulatorPage('no marks')).toThrow('lacks the marks');
  });
});
