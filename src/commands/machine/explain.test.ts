import { describe, expect, test } from 'vitest';
import type { SyncExplanation } from '../../engine/explain-sync.ts';
import { createStyle } from '../../ui/style.ts';
import { explainText, isExplanation } from './explain.ts';
import { summarise } from './tree-summary.ts';

const style = createStyle(false, false);
const explanation: SyncExplanation = {
  root: '/p', why: 'the git checkout that holds the script', marker: '/p/.git', script: 'src/train.py', fileCount: 2, bytes: 3_000, packedBytes: 1_000, route: 'direct', maxDirectBytes: 2_097_152,
  files: [{ path: 'README', bytes: 1_000 }, { path: 'src/train.py', bytes: 2_000 }],
  skipped: [{ path: 'data/', reason: 'gitignore', explanation: 'ignored by .gitignore', rule: '.gitignore:1: data/' }, { path: '.env', reason: 'secret', explanation: 'may hold secrets', rule: '.env*' }],
  warnings: [],
};

describe('R049 --explain as text', () => {
  test('project and reason, what goes, what stays with its rule, and the way it would go', () => {
    expect(isExplanation(explanation)).toBe(true);
    expect(isExplanation({ runId: 'run-1' })).toBe(false);
    expect(explainText(explanation, style).split('\n')).toEqual([
      '  Project: /p',
      '  Because: the git checkout that holds the script (/p/.git)',
      '  Script:  src/train.py',
      '  Goes:    2 files, 2.9 KiB; about 1000 B packed',
      "  Way:     through the machine's own channel: no bucket is configured, and up to 2.0 MiB packed need none",
      '',
      'Goes',
      '      1000 B  README',
      '     2.0 KiB  src/train.py',
      '',
      'Stays here',
      '  ignored by .gitignore  .gitignore:1: data/',
      '      data/',
      '  may hold secrets  built-in: .env*',
      '      .env',
      '',
      expect.stringContaining('--include-pattern GLOB'),
    ]);
    expect(explainText({ ...explanation, route: 'bucket', bucket: 'b-1' }, style)).toContain('through s3://b-1');
    expect(explainText({ ...explanation, route: 'too-large', packedBytes: 9_000_000 }, style)).toContain('runctl config set aws.s3_bucket my-bucket');
    expect(explainText({ ...explanation, skipped: [], warnings: ['careful'] }, style)).toMatch(/Stays here\n {2}nothing\n\n! careful/);
  });

  test('ten thousand files stay readable, and names cannot disturb the terminal', () => {
    const files = Array.from({ length: 10_000 }, (_, i) => ({ path: `src/${i % 7}/m${i}.py`, bytes: 100 }));
    const skipped = Array.from({ length: 3_000 }, (_, i) => ({ path: `logs/${i}.log`, reason: 'gitignore' as const, explanation: 'ignored by .gitignore', rule: '.gitignore:2: *.log' }));
    const text = explainText({ ...explanation, files: [...files, { path: 'evil\u001b[2J\n.py', bytes: 1 }], skipped }, style);
    expect(text.split('\n').length).toBeLessThan(80);
    expect(text).toContain('src/3/  1429 files');
    expect(text).toContain('logs/  3000 paths');
    expect(text).not.toContain('\u001b');
    expect(text).toContain('"evil\\u001b[2J\\n.py"');
  });
});

describe('the summary of a tree', () => {
  const total = (lines: { files: number; bytes: number }[]): number[] => [lines.reduce((sum, line) => sum + line.files, 0), lines.reduce((sum, line) => sum + line.bytes, 0)];

  test('few files are named, many are summed, nothing is lost', () => {
    expect(summarise([], 5)).toEqual([]);
    expect(summarise([{ path: 'b', bytes: 1 }, { path: 'a/c', bytes: 2 }, { path: 'gone/', bytes: 0 }], 5)).toEqual([{ path: 'a/c', files: 1, bytes: 2 }, { path: 'b', files: 1, bytes: 1 }, { path: 'gone/', files: 1, bytes: 0 }]);
    for (const most of [3, 10, 40]) {
      const entries = Array.from({ length: 500 }, (_, i) => ({ path: `${i % 3}/${i % 11}/${i}`, bytes: i }));
      const lines = summarise(entries, most);
      expect(lines.length).toBeLessThanOrEqual(most);
      expect(total(lines)).toEqual([500, (499 * 500) / 2]);
    }
    const crowd = summarise(Array.from({ length: 100 }, (_, i) => ({ path: `f${i}`, bytes: i })), 10);
    expect(crowd).toHaveLength(10);
    expect(crowd.at(-1)!.path).toBe('(91 more)');
    expect(total(crowd)).toEqual([100, 4950]);
  });
});
