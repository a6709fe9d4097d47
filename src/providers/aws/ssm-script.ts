// The envelope in which a script travels through SSM, and how its answer is read. Pure.
// Why an envelope: base64 keeps every byte and keeps `{{` away from SSM's own substitution; the last line of output carries a
// nonce and the exit code, so that an answer proves that the script really ran and that its output is whole; and the exit codes
// 168 and 194, which the SSM agent reads as "stop here" and "reboot, then run again", never reach it.
// Source: amazon-ssm-agent (runscript plugin, appconfig exit codes), SSM API Reference SendCommand and GetCommandInvocation.

/** SSM cuts stdout here, in characters; the trailer needs the rest. */
export const SSM_OUTPUT_CHARACTERS = 24_000;
export const SSM_ERROR_CHARACTERS = 8_000;
export const MAX_OUTPUT_BYTES = 23_000;
/** A document holds 64 KiB with its parameters; base64 adds a third. */
export const MAX_SCRIPT_BYTES = 45_000;

const TRUNCATED_MARK = '---Output truncated---';

export function wrapScript(script: string, nonce: string): string {
  const encoded = Buffer.from(script, 'utf8').toString('base64');
  return `d=$(mktemp -d "\${TMPDIR:-/tmp}/runctl.XXXXXX") || exit 97
trap 'rm -rf "$d"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
printf %s '${encoded}' >"$d/b"
base64 -d <"$d/b" >"$d/s" 2>/dev/null || base64 -D <"$d/b" >"$d/s" || exit 98
cd "\${HOME:-/}" 2>/dev/null || cd /
sh "$d/s" </dev/null
c=$?
printf '\\n%s %s\\n' '${nonce}' "$c"
case $c in 168|194) exit 1;; esac
exit "$c"
`;
}

export type WrappedOutput =
  | { kind: 'whole'; exitCode: number; stdout: string }
  /** No trailer: cut off, never run, or killed. */
  | { kind: 'cut' }
  | { kind: 'silent' };

export function readOutput(stdout: string, nonce: string): WrappedOutput {
  const at = stdout.lastIndexOf(`${nonce} `);
  // The line break before the nonce is ours; some services trim what looks like an empty first line.
  const ours = at === 0 || stdout[at - 1] === '\n';
  const code = at < 0 || !ours ? null : /^(\d{1,3})\s*$/.exec(stdout.slice(at + nonce.length + 1));
  if (code) return { kind: 'whole', exitCode: Number(code[1]), stdout: stdout.slice(0, Math.max(0, at - 1)) };
  // Characters may be counted in bytes or UTF-16 units; anything near the limit was cut there.
  if (stdout.length >= SSM_OUTPUT_CHARACTERS || Buffer.byteLength(stdout) >= SSM_OUTPUT_CHARACTERS || stdout.trimEnd().endsWith(TRUNCATED_MARK)) return { kind: 'cut' };
  return { kind: 'silent' };
}

/** stderr is for people: what SSM cut is said, not hidden; what the SSM agent adds of its own is not the script's. */
export function readErrors(text: string): string {
  const stderr = text.replace(/failed to run commands: exit status \d+\s*$/, '');
  return stderr.length >= SSM_ERROR_CHARACTERS ? `${stderr}\n[cut by SSM at ${SSM_ERROR_CHARACTERS} characters]\n` : stderr;
}
