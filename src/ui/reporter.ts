// Turns events into lines: a live line on a terminal, plain lines in a pipe, JSON lines on request, or silence.
// Keeps no clock of its own: time is in the events, so what it prints can be tested without waiting.
import type { Report } from '../core/events.ts';
import { formatUsd } from '../core/money.ts';
import { type Style, formatBytes, formatElapsed, harmless } from './style.ts';

interface Sink {
  write(text: string): unknown;
}

/** Somebody who listens to events; `end` wipes what is unfinished before a result or error is printed. */
export interface Reporter {
  report: Report;
  end(): void;
}

export function silentReporter(): Reporter {
  return { report() {}, end() {} };
}

/** Every event as one JSON line. */
export function jsonlReporter(sink: Sink): Reporter {
  return { report: (event) => void sink.write(`${JSON.stringify(event)}\n`), end() {} };
}

/** How long a plain listener may go without hearing anything of a step that still runs. */
const QUIET_MS = 5000;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export function textReporter(sink: Sink, style: Style, live: boolean): Reporter {
  let liveLine = '';
  let lastSaidMs = 0;
  let frame = 0;
  const say = (line: string): void => {
    wipe();
    sink.write(`${line}\n`);
  };
  const wipe = (): void => {
    if (liveLine !== '') sink.write('\r\u001b[2K');
    liveLine = '';
  };
  const report: Report = (event) => {
    switch (event.kind) {
      case 'run.started':
        return say(`${style.bold(event.runId)} ${style.dim(event.verb)}`);
      case 'step.started':
        lastSaidMs = 0;
        if (live) draw(event.label, 0, undefined);
        return;
      case 'step.progress':
        if (live) return draw(event.label, event.elapsedMs, event.detail);
        if (event.elapsedMs - lastSaidMs >= QUIET_MS) {
          lastSaidMs = event.elapsedMs;
          say(`  … ${event.label} ${formatElapsed(event.elapsedMs)}${event.detail ? ` (${harmless(event.detail)})` : ''}`);
        }
        return;
      case 'step.done':
        return say(`  ${event.bad ? style.bad('✗') : style.good('✓')} ${event.label} ${style.dim(formatElapsed(event.elapsedMs))}${event.detail ? `  ${harmless(event.detail)}` : ''}`);
      case 'step.failed':
        return say(`  ${style.bad('✗')} ${event.label} ${style.dim(formatElapsed(event.elapsedMs))}  ${harmless(event.message)}`);
      case 'log.line':
        lastSaidMs = Math.max(lastSaidMs, 0);
        return say(`  ${style.dim('│')} ${harmless(event.text)}`);
      case 'note':
        say(`  ${event.level === 'warning' ? style.warn('!') : '-'} ${harmless(event.text)}`);
        for (const hint of event.hints ?? []) say(`      ${style.bold(hint)}`);
        return;
      case 'cost.estimated':
        return say(`  - ${event.type} ${event.market}: ${estimateText(event.hourlyMicroUsd, event.dailyMicroUsd)} ${style.dim(`(${event.source})`)}`);
      case 'cost.actual':
      case 'machine.changed':
      case 'checkpoint.saved':
        return;
      case 'transfer.moved':
        if (live && event.totalBytes > 0) draw('sync', -1, `${formatBytes(event.doneBytes)} of ${formatBytes(event.totalBytes)}`);
        return;
    }
  };
  const draw = (label: string, elapsedMs: number, detail: string | undefined): void => {
    frame = (frame + 1) % FRAMES.length;
    const elapsed = elapsedMs >= 0 ? ` ${formatElapsed(elapsedMs)}` : '';
    const line = `  ${FRAMES[frame]} ${label}${elapsed}${detail ? ` (${harmless(detail)})` : ''}`;
    const text = line.slice(0, 110);
    sink.write(`\r\u001b[2K${text}`);
    liveLine = text;
  };
  return { report, end: wipe };
}

function estimateText(hourly: number | undefined, daily: number | undefined): string {
  if (hourly === undefined || daily === undefined) return 'price unknown';
  return `${formatUsd(hourly)}/hour, ${formatUsd(daily, 2)}/day`;
}

