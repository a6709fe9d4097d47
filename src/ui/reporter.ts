// Turns events into lines: a live line on a terminal, plain lines in a pipe, JSON lines on request, or silence.
// Keeps no clock of its own: time is in the events, so what it prints can be tested without waiting.
import type { Report } from '../core/events.ts';
import { formatUsd } from '../core/money.ts';
import { redactText } from '../core/secrets.ts';
import { estimateLines, fallbackLines } from './money-lines.ts';
import { type Style, formatBytes, formatElapsed } from './style.ts';
import { harmless, harmlessJson, harmlessLog, shortened } from './terminal.ts';

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

/** Takes secrets out of text that is about to be shown. */
type Clean = (text: string) => string;

/** Every event as one JSON line. */
export function jsonlReporter(sink: Sink, clean: Clean = redactText): Reporter {
  return { report: (event) => void sink.write(`${harmlessJson(JSON.stringify(event, (_key, value) => (typeof value === 'string' && event.kind !== 'log.line' ? clean(value) : value)))}\n`), end() {} };
}

/** How long a plain listener may go without hearing anything of a step that still runs. */
const QUIET_MS = 5000;
/** Of one line of a log; the whole of it is in the log. */
const MOST_OF_A_LINE = 4000;
/** Of the live line. Terminals that do not know their width say 0. */
const MIN_COLUMNS = 20;
const MOST_COLUMNS = 110;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** `columns`: width of the terminal now; a live line that wraps could not be wiped. */
export function textReporter(sink: Sink, style: Style, live: boolean, clean: Clean = redactText, columns: () => number | undefined = () => undefined): Reporter {
  const plain = (text: string): string => harmless(clean(text));
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
        return say(`${style.bold(plain(event.runId))} ${style.dim(plain(event.verb))}`);
      case 'step.started':
        lastSaidMs = 0;
        if (live) draw(event.label, 0, undefined);
        return;
      case 'step.progress':
        if (live) return draw(event.label, event.elapsedMs, event.detail);
        if (event.elapsedMs - lastSaidMs >= QUIET_MS) {
          lastSaidMs = event.elapsedMs;
          say(`  … ${plain(event.label)} ${formatElapsed(event.elapsedMs)}${event.detail ? ` (${plain(event.detail)})` : ''}`);
        }
        return;
      case 'step.done':
        return say(`  ${event.bad ? style.bad('✗') : style.good('✓')} ${plain(event.label)} ${style.dim(formatElapsed(event.elapsedMs))}${event.detail ? `  ${plain(event.detail)}` : ''}`);
      case 'step.failed':
        return say(`  ${style.bad('✗')} ${plain(event.label)} ${style.dim(formatElapsed(event.elapsedMs))}  ${plain(event.message)}`);
      case 'log.line':
        lastSaidMs = Math.max(lastSaidMs, 0);
        return say(`  ${style.dim('│')} ${harmlessLog(shortened(event.text, MOST_OF_A_LINE), style.colour)}`);
      case 'install.line':
        return say(`  ${style.dim('│')} ${plain(shortened(event.text, MOST_OF_A_LINE))}`);
      case 'note':
        say(`  ${event.level === 'warning' ? style.warn('!') : '-'} ${plain(event.text)}`);
        for (const hint of event.hints ?? []) say(`      ${style.bold(plain(hint))}`);
        return;
      case 'cost.estimated': {
        const { head, source, more } = estimateLines(event);
        say(`  - ${plain(head)} ${style.dim(`(${plain(source)})`)}`);
        for (const line of more) say(`    ${style.dim(plain(line))}`);
        return;
      }
      case 'spot.tried':
        // The first round is told place by place, later ones as any wait is: by the progress of the step.
        if (live || event.round > 1) return;
        lastSaidMs = event.elapsedMs;
        return say(`  … ${plain(event.label)}: attempt ${event.attempt} of ${event.of}: ${plain(event.zone)} ${plain(event.type)}${event.hourlyMicroUsd === undefined ? '' : ` at ${formatUsd(event.hourlyMicroUsd)}/hour`}`);
      case 'spot.fallback':
        say('');
        for (const [at, line] of fallbackLines(event).entries()) say(`  ${at === 0 ? style.warn(plain(line)) : plain(line)}`);
        return say('');
      case 'cost.actual':
      case 'machine.changed':
      case 'spot.refused':
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
    const line = `  ${FRAMES[frame]} ${plain(label)}${elapsed}${detail ? ` (${plain(detail)})` : ''}`;
    const text = line.slice(0, Math.max(MIN_COLUMNS, Math.min(MOST_COLUMNS, (columns() ?? Infinity) - 1)));
    sink.write(`\r\u001b[2K${text}`);
    liveLine = text;
  };
  return { report, end: wipe };
}
