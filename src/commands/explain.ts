// runctl explain: what an error code of runctl or of AWS means, why it comes, and what to do. Works without a network.
import troubleshooting from '../../docs/troubleshooting.md?raw';
import { ERROR_GUIDE } from '../core/error-guide.ts';
import { ERROR_CODES, type ErrorCode, RunctlError, docsOf } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { ALL_AWS_CODES, bareCode, docsOfRow, rowsOf, sample } from '../providers/aws/error-table.ts';
import { PAGES } from '../providers/aws/error-row.ts';
import { SPOT_STATUS } from '../providers/aws/spot-status.ts';
import { STATE_REASONS, readableReason } from '../providers/aws/state-reason.ts';
import { defineCommand } from './define.ts';

export interface Explanation {
  topic: string;
  /** runctl, aws, or section (of docs/troubleshooting.md). */
  kind: 'runctl' | 'aws' | 'section';
  meaning: string;
  causes: string[];
  remedies: string[];
  /** Code of runctl that an AWS code becomes. */
  becomes?: string;
  /** How runctl ends when it meets it. */
  exitCode?: number;
  retryable?: boolean;
  docs: string[];
  /** The section of docs/troubleshooting.md, as text. */
  section?: string;
}

export interface Topics {
  runctl: string[];
  aws: readonly string[];
  sections: string[];
}

export const explainCommand = defineCommand({
  description: 'Takes a code of runctl (ssm-not-ready), of AWS (VcpuLimitExceeded, Server.SpotInstanceTermination), a status of a spot request (capacity-not-available), or a section of docs/troubleshooting.md. Without one it lists all that it knows.',
  args: [{ name: 'code', summary: 'error code, as the error shows it', optional: true }],
  examples: ['runctl explain ssm-not-ready', 'runctl explain InsufficientInstanceCapacity', 'runctl explain'],
  run: async ({ args }): Promise<Explanation | Topics> => (args['code'] === undefined ? topics() : explain(args['code'])),
  text: (result: Explanation | Topics, style) => {
    if ('sections' in result) {
      return ['runctl:', ...wrapped(result.runctl), '', 'AWS:', ...wrapped(result.aws), '', 'sections of docs/troubleshooting.md:', ...result.sections.map((name) => `  ${name}`)].join('\n');
    }
    const { topic, meaning, causes, remedies, exitCode, docs, section, retryable, becomes } = result;
    return [
      `${style.bold(topic)}: ${meaning}`,
      ...(exitCode === undefined ? [] : [`  ${becomes === undefined ? '' : `runctl calls it ${becomes}: `}exit code ${exitCode}; trying again ${retryable ? 'may help' : 'does not help by itself'}`]),
      ...(causes.length === 0 ? [] : ['', 'Usual causes:', ...causes.map((cause) => `  - ${cause}`)]),
      ...(remedies.length === 0 ? [] : ['', 'Try:', ...remedies.map((line) => `  ${style.bold(line)}`)]),
      ...(section === undefined ? [] : ['', section]),
      '',
      ...docs.map((page, n) => style.dim(`${n === 0 ? 'docs:' : '     '} ${page}`)),
    ].join('\n');
  },
});

export function topics(): Topics {
  return { runctl: Object.keys(ERROR_CODES), aws: [...ALL_AWS_CODES, ...STATE_REASONS.map(([code]) => code), ...SPOT_STATUS.keys()].sort(), sections: [...sections().keys()] };
}

/** Throws `usage` for a word that is no code. A code of AWS that is not in our table still gets a way on. */
export function explain(word: string): Explanation {
  const own = Object.keys(ERROR_CODES).find((code) => code === word.toLowerCase()) as ErrorCode | undefined;
  if (own) {
    const { exit, retryable, meaning } = ERROR_CODES[own];
    const docs = docsOf(own);
    return { topic: own, kind: 'runctl', meaning, ...ERROR_GUIDE[own], remedies: ERROR_GUIDE[own].remedies, exitCode: exit, retryable, docs: [...new Set([docs, `docs/errors.md#${own}`])], ...sectionAt(docs) };
  }
  const reason = STATE_REASONS.find(([code]) => code.toLowerCase() === word.toLowerCase())?.[0];
  if (reason !== undefined) {
    return { topic: reason, kind: 'aws', meaning: readableReason(reason, undefined)!.replace(/ \([^(]*\)$/, ''), causes: ['EC2 says so when it is asked why a machine left the state "running", or never reached it.'], remedies: ['runctl aws status INSTANCE_ID', 'runctl aws start INSTANCE_ID --wait'], docs: [PAGES.states, docsOf('machine-lost')], ...sectionAt(docsOf('machine-lost')) };
  }
  const spot = SPOT_STATUS.get(word.toLowerCase());
  if (spot !== undefined) {
    const own = spot.phase === 'interrupted' || spot.phase === 'ended' ? docsOf('machine-lost') : docsOf('spot-unavailable');
    return { topic: word.toLowerCase(), kind: 'aws', meaning: spot.says, causes: [spot.why], remedies: [...spot.hints, `runctl explain ${own.split('#')[1]}`], docs: [PAGES.spot, own] };
  }
  const code = [...ALL_AWS_CODES].find((known) => known.toLowerCase() === bareCode(word).toLowerCase()) ?? word;
  const rows = rowsOf(code);
  const [first] = rows;
  if (first) {
    const { as, docs: page } = rows.at(-1)!;
    const { exit, retryable, meaning } = ERROR_CODES[as];
    const own = docsOfRow(first);
    return {
      topic: code, kind: 'aws', meaning: first.meaning ?? meaning, becomes: as, exitCode: exit, retryable,
      causes: [...new Set(rows.map((row) => row.why))],
      remedies: [...new Set([...rows.flatMap((row) => row.hints(sample(code, row))), `runctl explain ${own.startsWith('docs/errors') ? as : own.split('#')[1]}`])],
      docs: [...new Set([page, ...rows.map((row) => row.docs), own])],
    };
  }
  const section = sections().get(word);
  if (section !== undefined) return { topic: word, kind: 'section', meaning: section.title, causes: [], remedies: [], docs: [`docs/troubleshooting.md#${word}`], section: section.text };
  if (/^[A-Z][A-Za-z0-9]+([._-][A-Za-z0-9]+)*$/.test(word)) {
    return {
      topic: word, kind: 'aws',
      meaning: 'a code that runctl does not know by name; the message of AWS, which the error shows, is the best there is',
      causes: ['New codes appear, and emulators have codes of their own.'],
      remedies: ['runctl doctor', 'aws sts get-caller-identity', 'runctl runs show'],
      docs: [PAGES.ec2, PAGES.ssm, PAGES.s3, PAGES.iam],
    };
  }
  const all = topics();
  const names = [...all.runctl, ...all.aws, ...all.sections];
  const close = nearest(word, names) ?? names.find((name) => name.toLowerCase().includes(word.toLowerCase()));
  throw new RunctlError('usage', `"${word}" is no error code`, { cause: 'Codes are those that errors show: ssm-not-ready, VcpuLimitExceeded.', hints: [...(close ? [`runctl explain ${close}`] : []), 'runctl explain'] });
}

/** Anchor, as GitHub makes it of a heading, to title and text. */
function sections(): Map<string, { title: string; text: string }> {
  const parts = troubleshooting.split(/^## /m).slice(1);
  return new Map(parts.map((part) => {
    const end = part.indexOf('\n');
    const title = part.slice(0, end).trim();
    return [anchorOf(title), { title, text: part.slice(end).trim() }];
  }));
}

export function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\w\s-]/g, '').trim().replace(/\s/g, '-');
}

function sectionAt(docs: string): { section?: string } {
  const found = sections().get(docs.split('#')[1] ?? '');
  return found === undefined || !docs.startsWith('docs/troubleshooting.md') ? {} : { section: `${found.title}\n\n${found.text}` };
}

/** Words in lines of a hundred characters. */
function wrapped(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 98) lines[lines.length - 1] = `${last}, ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines;
}
