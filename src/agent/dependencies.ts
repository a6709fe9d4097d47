// Renders the scripts that install dependencies on a machine, and reads what they answer. Pure. An install is a job of its own
// beside the run that needs it: started once per run id, detached, with a log, an exit record and a stop.
import { shellQuote } from '../core/quote.ts';
import py from './dependencies.py?raw';
import sh from './dependencies.sh?raw';
import type { Wanted } from './dependencies-wanted.ts';
import { type Answer, oneOf, readFacts, text } from './facts.ts';
import { AGENT, LAUNCHING_AGENT, checked, strip, whole } from './render.ts';

export interface InstallOptions {
  wanted: Wanted;
  /** The Python that the environment is made from, path or name; undefined: the image's own. */
  python: string | undefined;
}

export interface InstallStart {
  /** `ready`: nothing had to be done. The others: it runs, and has a log. */
  outcome: 'ready' | 'launched' | 'already';
  /** Of `ready`, for people. */
  detail?: string;
}

const INSTALL = strip(sh);
/** Indentation means something here; comments and empty lines do not. */
const PROGRAM = py.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#')).join('\n');

/** Safe to run any number of times: one run id installs at most once. */
export function renderInstall(runId: string, { wanted, python }: InstallOptions): string {
  const { kind, source, directory, file, requirements, requiresPython, names, key, shared } = wanted;
  const request = { kind, source, directory, file, requirements, requiresPython, names, key, shared, python: python ?? '' };
  return [
    '#!/bin/sh',
    `RUNCTL_AGENT=${shellQuote(LAUNCHING_AGENT)}`,
    `RUNCTL_INSTALL_PY=${shellQuote(PROGRAM)}`,
    `RUNCTL_INSTALL_REQUEST=${shellQuote(asciiJson(request))}`,
    'eval "$RUNCTL_AGENT"',
    INSTALL,
    `runctl_install_main install ${checked(runId)}`,
    '',
  ].join('\n');
}

/** Arguments reach Python whole whatever the locale of the machine is. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** As renderWatch, of the install of that run. */
export function renderInstallWatch(runId: string, offset: number, maxBytes: number, waitS: number): string {
  return call('watch', checked(runId), whole(offset), whole(maxBytes), whole(waitS));
}

/** Ends the installer and everything it started. */
export function renderInstallStop(runId: string, graceS: number): string {
  return call('stop', checked(runId), whole(graceS));
}

export function parseInstall(answer: Answer): InstallStart {
  const facts = readFacts(answer);
  const outcome = oneOf(facts, 'outcome', ['ready', 'launched', 'already']);
  return outcome === 'ready' ? { outcome, detail: tidy(text(facts, 'detail64')) } : { outcome };
}

/** What we say ourselves in the log of an install, without the mark that tells it from what the installer says. */
export function ownWords(line: string): string | undefined {
  return line.startsWith('runctl: ') ? line.slice('runctl: '.length) : undefined;
}

function tidy(said: string): string {
  return said.split('\n').flatMap((line) => ownWords(line) ?? []).at(-1) ?? said.trim();
}

function call(...words: string[]): string {
  return `#!/bin/sh\n${AGENT}\n${INSTALL}\nrunctl_install_main ${words.join(' ')}\n`;
}
