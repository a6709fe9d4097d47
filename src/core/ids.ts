// Identifiers that runctl itself makes. Random ones carry the date so that people can tell runs apart;
// idempotency tokens are derived, so that a second try after a crash says the same thing to the cloud.
import { createHash, randomBytes } from 'node:crypto';

const ALPHABET = '23456789abcdefghjkmnpqrstvwxyz';

/** A run id such as `run-20261122-k3f9q2`: safe in paths, tags, shell words and file names. */
export function newRunId(nowMs: number, random: (size: number) => Uint8Array = randomBytes): string {
  const day = new Date(nowMs).toISOString().slice(0, 10).replaceAll('-', '');
  const tail = Array.from(random(6), (byte) => ALPHABET[byte % ALPHABET.length]).join('');
  return `run-${day}-${tail}`;
}

const RUN_ID = /^run-\d{8}-[a-z0-9]{6}$/;

export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}

/** The idempotency token of one effect: 64 hex digits, the most that EC2 ClientToken takes (EC2 API Reference, RunInstances). */
export function effectToken(runId: string, step: string, attempt: number): string {
  return createHash('sha256').update(`${runId}\n${step}\n${attempt}`).digest('hex');
}
