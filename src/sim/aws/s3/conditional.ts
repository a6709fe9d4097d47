// Conditional requests: If-Match, If-None-Match and the two dates, for reads, writes and the source of a copy.
// Does: 412, 304, and 404 for If-Match on an absent key; `If-None-Match: *` and `If-Match` for writes.
// Gaps: 409 ConditionalRequestConflict never comes: two writers are told apart at the commit, and the later one gets 412.
// By design: a write's condition is checked before its body is read and again at the commit.
// Sources: S3 User Guide "Conditional requests", RFC 9110 section 13.2.2 (precedence).
import { AwsFault } from '../../wire/call.ts';
import type { ObjectRow } from './bucket-index.ts';
import { noSuchKey, type Exchange } from './exchange.ts';

/** Throws unless the object now at the key satisfies what the request demands. */
export type WriteCondition = (current: ObjectRow | undefined) => void;

export function writeCondition(exchange: Exchange): WriteCondition {
  const noneMatch = exchange.header('if-none-match');
  const match = exchange.header('if-match');
  for (const [name, unsupported] of [['If-None-Match', noneMatch !== undefined && noneMatch.trim() !== '*'], ['If-Match', match?.trim() === '*']] as const) {
    if (unsupported) throw new AwsFault('NotImplemented', 'A header you provided implies functionality that is not implemented', 501, { body: { Header: name } });
  }
  return (current) => {
    if (noneMatch !== undefined && current) throw preconditionFailed('If-None-Match');
    if (match === undefined) return;
    if (!current) throw noSuchKey(exchange.key);
    if (!matches(match, current.etag)) throw preconditionFailed('If-Match');
  };
}

/** Whether the reader's copy is still good; throws 412. `prefix` is `x-amz-copy-source-` for the source of a copy. */
export function isNotModified(exchange: Exchange, row: ObjectRow, prefix = ''): boolean {
  const match = exchange.header(`${prefix}if-match`);
  const noneMatch = exchange.header(`${prefix}if-none-match`);
  const unmodifiedSince = dateOf(exchange.header(`${prefix}if-unmodified-since`));
  const modifiedSince = dateOf(exchange.header(`${prefix}if-modified-since`));
  if (match !== undefined) {
    if (!matches(match, row.etag)) throw preconditionFailed('If-Match');
  } else if (unmodifiedSince !== undefined && row.modifiedMs > unmodifiedSince) throw preconditionFailed('If-Unmodified-Since');
  if (noneMatch !== undefined) return matches(noneMatch, row.etag);
  return modifiedSince !== undefined && row.modifiedMs <= modifiedSince;
}

export function preconditionFailed(condition: string): AwsFault {
  return new AwsFault('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412, { body: { Condition: condition } });
}

function matches(header: string, etag: string): boolean {
  return header.split(',').some((item) => {
    const value = item.trim();
    return value === '*' || value.replace(/^W\//, '').replace(/^"(.*)"$/, '$1') === etag;
  });
}

/** A date that cannot be read is as good as none (RFC 9110 13.1.3). */
function dateOf(text: string | undefined): number | undefined {
  const value = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(value) ? undefined : value;
}
