// How the job's variables (train.env) get to the run directory without standing anywhere else: Systems Manager shows every
// script it carried for 30 days (AWS Systems Manager API Reference, ListCommands) and may log it. So the machine makes a key
// pair, and what travels is sealed for it: finite-field Diffie-Hellman in RFC 3526 group 14, a SHAKE256 keystream and
// HMAC-SHA-256, because Python's standard library has these and no cipher. Pure; the job removes env.sh once it has read it.
import { createHash, createHmac, getDiffieHellman } from 'node:crypto';
import { RunctlError } from '../core/errors.ts';
import { shellQuote } from '../core/quote.ts';
import type { ShellResult } from '../core/ports.ts';
import { renderEnvironment } from './render.ts';
import sealPy from './seal.py?raw';

const PRIME = getDiffieHellman('modp14').getPrime('hex');
const PUBLIC_KEY = /^runctl-seal ([0-9a-f]{512})\r?$/m;

/** The lines that env.sh holds. Throws `usage` for what is no name of a variable or no value. */
function content(env: Record<string, string>): string {
  return `${renderEnvironment(env).join('\n')}\n`;
}

/** For a shell that nobody else reads: the values as they are. */
export function renderPlainEnvironment(directory: string, env: Record<string, string>): string {
  return ['umask 077', `cd ${shellQuote(directory)} || exit 66`, `printf %s ${shellQuote(content(env))} >env.sh.new && mv -f env.sh.new env.sh && echo 'runctl-seal opened'`, ''].join('\n');
}

/** Asks for the public half of the machine's key. Safe to repeat. */
export function renderKey(directory: string): string {
  return script(directory, ['key', PRIME]);
}

/** `answer`: to renderKey. Safe to repeat as it is; a second sealing is for a second key. */
export function renderSealedEnvironment(directory: string, env: Record<string, string>, answer: ShellResult): string {
  const theirs = PUBLIC_KEY.exec(answer.stdout)?.[1];
  if (theirs === undefined) throw refused(answer);
  const ours = getDiffieHellman('modp14');
  ours.generateKeys();
  const secret = ours.computeSecret(theirs, 'hex');
  const plain = Buffer.from(content(env), 'utf8');
  const stream = createHash('shake256', { outputLength: plain.length }).update('stream').update(secret).digest();
  const cipher = Buffer.from(plain.map((byte, n) => byte ^ stream[n]!));
  const mac = createHmac('sha256', createHash('sha256').update('mac').update(secret).digest()).update(cipher).digest('hex');
  return script(directory, ['open', PRIME, ours.getPublicKey('hex'), cipher.toString('base64'), mac]);
}

/** Throws when the variables did not arrive. */
export function checkDelivered(answer: ShellResult): void {
  if (answer.exitCode !== 0 || !/^runctl-seal opened\r?$/m.test(answer.stdout)) throw refused(answer);
}

function script(directory: string, words: string[]): string {
  return ['umask 077', `cd ${shellQuote(directory)} || exit 66`, `exec python3 -I -c ${shellQuote(sealPy)} ${words.map(shellQuote).join(' ')}`, ''].join('\n');
}

function refused({ exitCode, stderr }: ShellResult): RunctlError {
  return new RunctlError('sync-failed', 'the variables of train.env could not be handed over; nothing was started', {
    cause: `python3 on the machine ended with ${exitCode}${stderr.trim() === '' ? '' : `: ${stderr.trim().split('\n').at(-1)!.slice(-300)}`}`,
    hints: ['repeat the command'],
  });
}
