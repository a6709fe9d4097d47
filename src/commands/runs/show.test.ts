import { expect, test } from 'vitest';
import { createStyle } from '../../ui/style.ts';
import type { RunDetail } from '../../engine/runs.ts';
import { runsShowCommand } from './show.ts';

const run: RunDetail = {
  runId: 'run-20260101-aaaaaa', verb: 'create', state: 'left', startedAt: '2026-01-01T00:00:00.000Z', request: {},
  steps: [{ name: 'create', attempt: 1, state: 'started', startedAt: '2026-01-01T00:00:00.000Z' }],
  effects: [{ step: 'create', attempt: 1, kind: 'aws.create', state: 'intended' }],
};

test('R226 a run whose process was killed in the middle of a purchase says how to look for what it made', () => {
  const text = (state: RunDetail['state']): string => runsShowCommand.text({ ...run, state }, createStyle(false, false));
  expect(text('left')).toContain('may still cost: runctl resources cleanup --run run-20260101-aaaaaa --dry-run');
  expect(text('interrupted')).not.toContain('cleanup');
});

test('R226 a search for capacity that failed many times in one way takes one line', () => {
  const failed = { step: 'create', attempt: 1, kind: 'aws.create', state: 'failed' as const };
  const text = runsShowCommand.text({ ...run, state: 'failed', effects: [failed, failed, failed, { ...failed, state: 'done', resourceId: 'i-1' }] }, createStyle(false, false));
  expect(text).toMatch(/ {2}aws\.create failed \(3 times\)\n {2}aws\.create done i-1$/);
});
