import { describe, expect, test } from 'vitest';
import type { Event } from '../core/events.ts';
import { jsonlReporter, textReporter } from './reporter.ts';
import { createStyle, formatBytes, formatElapsed } from './style.ts';

function heard(live: boolean, events: Event[]): string {
  let text = '';
  const reporter = textReporter({ write: (part: string) => (text += part) }, createStyle(false, live), live);
  events.forEach(reporter.report);
  reporter.end();
  return text;
}
const progress = (elapsedMs: number, detail?: string): Event => ({ kind: 'step.progress', step: 's', label: 'wait for SSM', elapsedMs, detail });

describe('text reporter', () => {
  test('R080 a pipe hears of a running step at least every five seconds', () => {
    const ticks = Array.from({ length: 60 }, (_, i) => progress((i + 1) * 500));
    const lines = heard(false, [{ kind: 'step.started', step: 's', label: 'wait for SSM' }, ...ticks]).trimEnd().split('\n');
    expect(lines).toHaveLength(6);
    expect(lines[0]).toBe('  … wait for SSM 5.0s');
  });

  test('R026 each finished phase has its elapsed time', () => {
    expect(heard(false, [{ kind: 'step.done', step: 'c', label: 'create machine', elapsedMs: 1234, detail: 'on-demand i-1' }])).toBe('  ✓ create machine 1.2s  on-demand i-1\n');
  });

  test('R080 a terminal sees every tick on one line, wiped before the next word', () => {
    const text = heard(true, [progress(500), progress(1000, 'pending'), { kind: 'log.line', text: 'epoch 1' }]);
    expect(text.split('\u001b[2K')).toHaveLength(4);
    expect(text.endsWith('\r\u001b[2K  │ epoch 1\n')).toBe(true);
  });

  test('R080 a live line never wraps, also after the window became narrower', () => {
    let text = '';
    let width: number | undefined = 60;
    const reporter = textReporter({ write: (part: string) => (text += part) }, createStyle(false, true), true, undefined, () => width);
    const longest = (): number => Math.max(...text.split('\r\u001b[2K').map((line) => line.length));
    reporter.report(progress(500, 'x'.repeat(200)));
    expect(longest()).toBe(59);
    [width, text] = [40, ''];
    reporter.report(progress(900, 'x'.repeat(200)));
    expect(longest()).toBe(39);
    [width, text] = [undefined, ''];
    reporter.report(progress(900, 'x'.repeat(200)));
    expect(longest()).toBe(110);
  });

  test('R017 a pipe hears of every try of the first round, from the first on; a terminal sees it in the live line', () => {
    const tried = (round: number, attempt: number): Event => ({ kind: 'spot.tried', step: 'create', label: 'buy spot machine', round, attempt, of: 2, type: 'g5.xlarge', zone: `us-east-1${attempt === 1 ? 'a' : 'b'}`, hourlyMicroUsd: 302_100, elapsedMs: attempt * 100 });
    expect(heard(false, [tried(1, 1), tried(1, 2), tried(2, 1)])).toBe('  … buy spot machine: attempt 1 of 2: us-east-1a g5.xlarge at $0.3021/hour\n  … buy spot machine: attempt 2 of 2: us-east-1b g5.xlarge at $0.3021/hour\n');
    expect(heard(true, [tried(1, 1)])).toBe('');
  });

  test('R025 R224 the estimate: price and source as ever, then both markets, the expected time and the worst case', () => {
    const common = { kind: 'cost.estimated' as const, type: 'g5.xlarge', source: 'test', storageMicroUsd: 11_111, addressMicroUsd: 5000, hours: 8 };
    const spot: Event = { ...common, market: 'spot', zone: 'us-east-1b', hourlyMicroUsd: 316_111, dailyMicroUsd: 7_586_664, computeMicroUsd: 300_000, onDemandHourlyMicroUsd: 1_022_111, expectedMicroUsd: 2_528_888, otherExpectedMicroUsd: 8_176_888, worstMicroUsd: 8_176_888, worst: '8 h at the on-demand price, which spot never exceeds' };
    expect(heard(false, [spot])).toBe([
      '  - g5.xlarge spot in us-east-1b: $0.3161/hour, $7.59/day (test)',
      '    machine $0.30 + disk $0.0111 + address $0.005 an hour; on demand $1.0221/hour: spot saves 69 %',
      '    for 8 h: $2.53 (on demand $8.18); at most $8.18 (8 h at the on-demand price, which spot never exceeds)\n',
    ].join('\n'));
    const onDemand: Event = { ...common, market: 'on-demand', hourlyMicroUsd: 1_022_111, dailyMicroUsd: 24_530_664, computeMicroUsd: 1_006_000, expectedMicroUsd: 8_176_888, worst: 'no limit' };
    expect(heard(false, [onDemand])).toBe('  - g5.xlarge on-demand: $1.0221/hour, $24.53/day (test)\n    for 8 h: $8.18; nothing bounds it (--max-hours, --max-cost)\n');
    expect(heard(false, [{ ...onDemand, spotHourlyMicroUsd: 316_111, spotZone: 'us-east-1b' }])).toContain('spot $0.3161/hour in us-east-1b: spot saves 69 % (--spot)');
    expect(heard(false, [{ kind: 'cost.estimated', type: 'x', market: 'spot', source: 'nobody', hours: 8 }])).toBe('  - x spot: price unknown (nobody)\n');
  });

  test('R021 the choice between two markets is a block of its own with both prices and the factor', () => {
    const text = heard(false, [progress(6000), { kind: 'spot.fallback', type: 'g5.xlarge', spotHourlyMicroUsd: 316_111, spotZone: 'us-east-1b', onDemandHourlyMicroUsd: 1_022_111, factor: 3.23, hours: 8, spotExpectedMicroUsd: 2_528_888, onDemandExpectedMicroUsd: 8_176_888, elapsedMs: 60_000, tried: ['TYPE  ZONE', 'g5.xlarge  us-east-1b'] }]);
    expect(text.split('\n').slice(1)).toEqual([
      '', '  ┌ No spot capacity for g5.xlarge after 60 s', '  │   TYPE  ZONE', '  │   g5.xlarge  us-east-1b', '  │',
      '  │              an hour  8 h', '  │   spot       $0.3161  $2.53  not to be had now (price of us-east-1b)', '  │   on demand  $1.0221  $8.18  3.23 times as much', '  └', '', '',
    ]);
    expect(heard(false, [{ kind: 'spot.fallback', type: 'x', hours: 1, elapsedMs: 0, tried: [] }])).toContain('on demand  unknown  unknown');
  });

  test('R272 a log line is harmless, and one that never ends is cut', () => {
    expect(heard(true, [{ kind: 'log.line', text: 'a\u001b[31mb\u001b]0;evil\u0007c\u0008' }])).toBe('  │ ab␛]0;evil␇c␈\n');
    expect(heard(true, [{ kind: 'log.line', text: '10%\r55%\r100%' }])).toBe('  │ 100%\n');
    const long = heard(false, [{ kind: 'log.line', text: 'x'.repeat(1_000_000) }]);
    expect(long.length).toBeLessThan(4100);
    expect(long).toContain('996000 more characters');
  });

  test('R270 R272 nothing that an event carries gets to the terminal as a sequence or with a secret in it', () => {
    const evil = 'x\u001b]0;t\u0007\u202e?X-Amz-Signature=CANARY';
    const events: Event[] = [
      { kind: 'run.started', runId: evil, verb: evil }, { kind: 'step.started', step: 's', label: evil }, { kind: 'step.progress', step: 's', label: evil, elapsedMs: 9000, detail: evil },
      { kind: 'step.done', step: 's', label: evil, elapsedMs: 1, detail: evil }, { kind: 'step.failed', step: 's', label: evil, elapsedMs: 1, message: evil },
      { kind: 'note', level: 'warning', text: evil, hints: [evil] }, { kind: 'cost.estimated', type: evil, market: 'on-demand', source: evil },
    ];
    for (const live of [true, false]) expect(heard(live, events).replaceAll('\r\u001b[2K', '')).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]|CANARY/);
    let lines = '';
    const json = jsonlReporter({ write: (part: string) => (lines += part) });
    events.forEach(json.report);
    expect(lines).not.toContain('CANARY');
    json.report({ kind: 'log.line', text: evil });
    expect(lines).toContain('CANARY'); // the job's own words are not ours to change
  });

  test('R025 R026 the price is told with its source', () => {
    expect(heard(false, [{ kind: 'cost.estimated', type: 't3.micro', market: 'on-demand', hourlyMicroUsd: 10_400, dailyMicroUsd: 249_600, source: 'table' }])).toContain('$0.0104/hour, $0.25/day (table)');
    expect(heard(false, [{ kind: 'cost.estimated', type: 'x', market: 'on-demand', source: 'none' }])).toContain('price unknown');
  });
});

test('R026 events as JSON lines on request', () => {
  let text = '';
  jsonlReporter({ write: (part: string) => (text += part) }).report(progress(500));
  expect(JSON.parse(text)).toEqual({ kind: 'step.progress', step: 's', label: 'wait for SSM', elapsedMs: 500 });
});

test('sizes and times are short', () => {
  expect([850, 3200, 125_000, 3_720_000].map(formatElapsed)).toEqual(['850ms', '3.2s', '2m05s', '1h02m']);
  expect([12, 4096, 1.5 * 1024 * 1024].map(formatBytes)).toEqual(['12 B', '4.0 KiB', '1.5 MiB']);
});
