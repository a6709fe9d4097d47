// What counts as a secret, and how it is taken out of whatever is printed, written down or remembered. The last line of
// defence: callers should not pass secrets at all. Not for logs of jobs: those are the user's own bytes.

const HIDDEN = '[redacted]';

/** Query parameters that make a URL work without credentials (S3 presigned URLs, versions 4 and 2), and their like. */
const URL_PARAMETER = /([?&](?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId|sig|token|access_token|api_key)=)[^&#\s"'<>]*/gi;
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"']*:)[^\s/@"']+@/gi;
/** A user name this long is a token (`https://TOKEN@github.com/…`). */
const URL_TOKEN = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/:@"']{20,}@/gi;
const AUTHORIZATION = /(\bauthorization["']?\s*[:=]\s*["']?|\bbearer\s+)[^"'\r\n]+/gi;
/** `NAME=value`, `name: value` and `--name value` in running text; whether it is a secret is for the name to say. */
const ASSIGNED = /([A-Za-z][\w-]{2,63})(\\?["']?\s?[=:]\s?)(?:(\\?["'])[^"'\\\r\n]{1,4000}|[^\s"',;&\\]{4,})/g;
const PASSED = /(--?[A-Za-z][\w-]{2,63})(\s+)()(?!-)[^\s"']{4,}/g;
/** Keys that their issuers made recognizable: GitHub, GitLab, Hugging Face, OpenAI and its like, Slack, PEM. */
const SHAPES = [
  /\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{30,}|sk-[\w-]{20,}|xox[abprs]-[\w-]{10,})/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
];

const SECRET_WORDS = new Set(['secret', 'secrets', 'password', 'passwd', 'passphrase', 'credential', 'credentials', 'authorization', 'apikey', 'token']);
const KEY_KINDS = new Set(['api', 'access', 'secret', 'private', 'auth', 'account', 'encryption', 'signing', 'license', 'subscription']);
/** Tokens of texts, not of doors: `--pad-token`, `eos_token`. */
const TEXT_TOKENS = new Set(['pad', 'eos', 'bos', 'mask', 'unk', 'sep', 'cls', 'next', 'special', 'per', 'client']);
const PLACES = new Set(['file', 'files', 'path', 'dir', 'directory']);
const RUN_TOGETHER = /(?:api|access|secret|private|auth)key$|(?:session|access|auth|security|api|bearer)token$|password|passphrase/;

/** Whether a variable, field or flag of this name usually holds a secret: HF_TOKEN, wandbApiKey, --db-password; not `tokenizer`, `key_name`. */
export function looksSecret(name: string): boolean {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase().split(/[^a-z0-9]+/).filter((word) => word !== '');
  // AWS_SHARED_CREDENTIALS_FILE says where secrets are, which is none.
  if (PLACES.has(words.at(-1) ?? '')) return false;
  return (
    RUN_TOGETHER.test(words.join('').replace(/\d+$/, '')) ||
    words.some((word, n) => {
      if (word === 'token') return !TEXT_TOKENS.has(words[n - 1] ?? '') && n >= words.length - 2 && words[n + 1] !== 'id' && words[n + 1] !== 'ids';
      return SECRET_WORDS.has(word) || (word === 'key' && KEY_KINDS.has(words[n - 1] ?? ''));
    })
  );
}

/** Text without signatures and passwords of URLs, assignments to secret names, and keys of well-known shapes. */
export function redactText(text: string): string {
  const named = (whole: string, name: string, between: string, quote = ''): string => (looksSecret(name) ? `${name}${between}${quote}${HIDDEN}` : whole);
  const clean = text
    .replace(URL_PARAMETER, `$1${HIDDEN}`)
    .replace(URL_PASSWORD, `$1${HIDDEN}@`)
    .replace(URL_TOKEN, `$1${HIDDEN}@`)
    .replace(AUTHORIZATION, `$1${HIDDEN}`)
    .replace(ASSIGNED, named)
    .replace(PASSED, named);
  return SHAPES.reduce((left, shape) => left.replace(shape, HIDDEN), clean);
}

/** A copy of a JSON value: texts as by redactText, fields with telling names emptied, and what follows such a flag in a list of arguments. */
export function redact(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return value.map((item, n) => (typeof item === 'string' && isSecretArgument(value, n) ? HIDDEN : redact(item)));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, looksSecret(name) && ['string', 'number'].includes(typeof inner) ? HIDDEN : redact(inner)]),
  );
}

function isSecretArgument(list: readonly unknown[], n: number): boolean {
  const before = list[n - 1];
  return typeof before === 'string' && /^--?[A-Za-z]/.test(before) && !before.includes('=') && looksSecret(before) && !String(list[n]).startsWith('--');
}

/** Too short to be told from an ordinary word. */
const SHORTEST_VALUE = 8;

/** A cleaner that besides knows the values of the secrets in this environment, wherever and however they turn up. */
export function createRedactor(env: Record<string, string | undefined>): (text: string) => string {
  const values = Object.entries(env).flatMap(([name, value]) => (value !== undefined && value.length >= SHORTEST_VALUE && looksSecret(name) ? [value, encodeURIComponent(value)] : []));
  const longestFirst = [...new Set(values)].sort((a, b) => b.length - a.length);
  return (text) => redactText(longestFirst.reduce((left, value) => left.replaceAll(value, HIDDEN), text));
}
