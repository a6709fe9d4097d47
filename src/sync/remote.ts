// The scripts that sync runs on machines, rendered with their values, and what they answer. POSIX sh, coreutils, tar, curl
// and Python 3 are all they use. Secrets (presigned URLs) go to curl on its standard input, never into an argument list.
import { createHash } from 'node:crypto';
import { RunctlError } from '../core/errors.ts';
import { shellQuote } from '../core/quote.ts';
import type { ShellResult } from '../core/ports.ts';
import common from './remote-common.sh?raw';
import unpack from './remote-unpack.sh?raw';
import verifyPy from './verify.py?raw';

const END = 'RUNCTL_END_OF_DATA';

export interface Incoming {
  runDirectory: string;
  sha256: string;
  packedBytes: number;
}

/** Named after the content: a second try finds the parts of the first, and never those of another archive. */
export function incomingDirectory({ runDirectory, sha256 }: Incoming): string {
  return `${runDirectory}/.incoming-${sha256.slice(0, 16)}`;
}

function header(values: Record<string, string | number>): string {
  return ['set -u', 'umask 077', ...Object.entries(values).map(([name, value]) => `${name}=${typeof value === 'number' ? value : shellQuote(value)}`), common].join('\n');
}

function places(incoming: Incoming): Record<string, string> {
  return { run: incoming.runDirectory, in: incomingDirectory(incoming) };
}

/** Write one part, checked, under its final name only when it is right. Safe to repeat. */
export function renderPart(incoming: Incoming, n: number, content: Buffer): string {
  return [
    header({ ...places(incoming), n }),
    'mkdir -p "$in" || exit 1',
    partText(n, content),
    'if [ -f "$in/part.$n" ]; then answer part "$n"; else answer failed send "part $n did not arrive as it was sent: $(printf %s "$why" | last_words)"; fi',
    '',
  ].join('\n');
}

function partText(n: number, content: Buffer): string {
  const sha256 = createHash('sha256').update(content).digest('hex');
  const lines = content.toString('base64').replace(/.{4000}/g, '$&\n');
  return [
    `why=$(base64 -d 2>&1 >"$in/part.${n}.tmp" <<'${END}'`,
    lines,
    END,
    ')',
    `if [ "$(hash_of "$in/part.${n}.tmp")" = ${sha256} ]; then mv "$in/part.${n}.tmp" "$in/part.${n}"; else rm -f "$in/part.${n}.tmp"; fi`,
  ].join('\n');
}

/** Bytes of script that a part costs besides its content. */
export function partOverhead(incoming: Incoming): number {
  return Buffer.byteLength(renderPart(incoming, 99_999, Buffer.alloc(0)));
}

/** Put the parts together, check, unpack, verify, move into place. `inline`: the only part, sent along in the same script. */
export function renderUnpackParts(incoming: Incoming, parts: number, inline?: Buffer): string {
  return [
    header({ ...places(incoming), sha: incoming.sha256, bytes: incoming.packedBytes, parts, verify_py: verifyPy }),
    ...(inline ? ['mkdir -p "$in" || exit 1', partText(0, inline)] : []),
    unpack,
  ].join('\n');
}

/** The same for an archive that the machine fetches by itself. */
export function renderFetchAndUnpack(incoming: Incoming, url: string): string {
  return [
    header({ ...places(incoming), sha: incoming.sha256, bytes: incoming.packedBytes, parts: 0, verify_py: verifyPy }),
    'mkdir -p "$in" || exit 1',
    'command -v curl >/dev/null 2>&1 || { rm -rf "$in"; answer failed fetch "curl is missing on the machine"; exit 1; }',
    curl('--output "$in/archive"', url),
    'if [ "$status" -ne 0 ]; then why=$(told "$in/curl"); rm -rf "$in"; answer failed fetch "curl ended with $status: $why"; exit 1; fi',
    unpack,
  ].join('\n');
}

/** Put a file of the machine under a URL. */
export function renderUpload(file: string, url: string): string {
  return [
    header({ file }),
    'in=$(mktemp -d) || exit 1',
    'command -v curl >/dev/null 2>&1 || { rm -rf "$in"; answer failed upload "curl is missing on the machine"; exit 1; }',
    curl('--upload-file "$file" --output /dev/null', url),
    'why=$(told "$in/curl"); rm -rf "$in"',
    'if [ "$status" -ne 0 ]; then answer failed upload "curl ended with $status: $why"; exit 1; fi',
    "answer 'done'",
    '',
  ].join('\n');
}

/** `-q` and `--globoff`: neither the user's curlrc nor brackets in the URL change what is asked. Needs curl 7.52 or later. */
function curl(words: string, url: string): string {
  if (/[\r\n]/.test(url)) throw new RangeError('a URL has no line breaks');
  return [
    'for attempt in 1 2 3; do',
    'status=0',
    `curl -q --fail --silent --show-error --globoff --connect-timeout 20 --retry 3 --retry-connrefused ${words} --config - 2>"$in/curl" <<'${END}' || status=$?`,
    `url = "${url.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`,
    END,
    // A connection that broke off: curl itself tries again only after answers. Both ends may repeat what these URLs do.
    'case $status in 18 | 35 | 52 | 55 | 56 | 92) sleep "$attempt" ;; *) break ;; esac',
    'done',
  ].join('\n');
}

/** One piece of a file: its sha256, then its content in base64. */
export function renderRead(file: string, blockBytes: number, block: number): string {
  return [
    header({ file }),
    `piece() { dd if="$file" bs=${blockBytes} skip=${block} count=1 2>/dev/null; }`,
    '[ -f "$file" ] || { answer failed read "there is no such file"; exit 1; }',
    'answer piece "$(piece | { if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi; } | cut -c1-64)"',
    'piece | base64',
    '',
  ].join('\n');
}

/** How far the tree has come: "at STAGE BYTES FILES", files while it is unpacked. Asked while the script that makes it runs. */
export function renderArrival(incoming: Incoming): string {
  return [
    header(places(incoming)),
    'stage=fetch',
    '[ ! -f "$in/stage" ] || read -r stage <"$in/stage"',
    'bytes=0 files=0',
    'case $stage in',
    '  fetch) [ ! -f "$in/archive" ] || bytes=$(($(wc -c <"$in/archive"))) ;;',
    '  unpack) bytes=$(($(du -sk "$in/tree/code" 2>/dev/null | cut -f1) * 1024)) files=$(($(find "$in/tree/code" ! -type d -print 2>/dev/null | wc -l))) ;;',
    '  verify) [ ! -f "$in/verified" ] || read -r bytes <"$in/verified" ;;',
    'esac',
    'answer at "$stage" "$bytes" "$files"',
    '',
  ].join('\n');
}

export function renderForget(incoming: Incoming): string {
  return `rm -rf ${shellQuote(incomingDirectory(incoming))}\n`;
}

export interface Answer {
  word: string;
  rest: string;
}

/** The last answer line; without one the script did not come to its end. */
export function parseAnswer({ stdout, stderr, exitCode }: ShellResult): Answer {
  const match = [...stdout.matchAll(/^runctl-sync (\w+) ?(.*)$/gm)].at(-1);
  if (match) return { word: match[1]!, rest: match[2]! };
  return { word: 'failed', rest: `answer the script ended with ${exitCode} and said nothing${stderr.trim() === '' ? '' : `: ${stderr.trim().slice(-300)}`}` };
}

/** URLs that act without credentials do not belong in messages. */
export function withoutUrls(text: string): string {
  return text.replace(/https?:\/\/[^\s"']+/g, '<url>');
}

export function failedStage(rest: string): { stage: string; why: string } {
  const [stage = 'unknown', ...words] = rest.split(' ');
  return { stage, why: withoutUrls(words.join(' ').trim()) };
}

export function bucketMissing(message: string, cause: string): RunctlError {
  return new RunctlError('bucket-missing', message, {
    cause,
    hints: ['[aws]\ns3_bucket = "my-bucket"', 'runctl config set aws.s3_bucket my-bucket'],
  });
}
