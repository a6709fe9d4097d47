import { expect, test } from 'vitest';
import { manualClock, realClock } from './clock.ts';

test('the hand-driven clock runs what falls due, in order, each at its own time', async () => {
  const clock = manualClock(1000);
  const seen: string[] = [];
  clock.after(20, () => void seen.push(`b${clock.now()}`));
  clock.after(10, async () => {
    await Promise.resolve();
    seen.push(`a${clock.now()}`);
    clock.after(5, () => void seen.push(`c${clock.now()}`));
  });
  const cancel = clock.after(12, () => void seen.push('never'));
  cancel();
  await clock.advance(19);
  expect(seen).toEqual(['a1010', 'c1015']);
  await clock.advance(1);
  expect(seen).toEqual(['a1010', 'c1015', 'b1020']);
});

test('the real clock waits no longer than told and can be cancelled', async () => {
  const clock = realClock();
  const cancelled: string[] = [];
  clock.after(0, () => void cancelled.push('no'))();
  await new Promise<void>((resolve) => {
    // Real timers do not keep the process alive; this one does until they have run.
    const keep = setInterval(() => undefined, 1000);
    clock.after(5, () => {
      clearInterval(keep);
      resolve();
    });
  });
  expect(cancelled).toEqual([]);
});
