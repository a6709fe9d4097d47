// Takes secrets out of what is about to be written down. The last line of defence: callers should not pass secrets at all.

const HIDDEN = '[redacted]';
/** Query parameters that make a URL work without credentials (S3 presigned URLs, versions 4 and 2), and their like. */
const SECRET_PARAMETER = /([?&](?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId|sig|token|access_token|api_key)=)[^&#\s"'<>]*/gi;
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]+:)[^\s/@]+@/gi;
const AUTHORIZATION = /(authorization["']?\s*[:=]\s*["']?)[^"'\r\n]+/gi;
const SECRET_NAME = /secret|password|passphrase|credential|authorization|private_?key|api_?key|session_?token|access_?token|security_?token/i;

export function redactText(text: string): string {
  return text.replace(SECRET_PARAMETER, `$1${HIDDEN}`).replace(URL_PASSWORD, `$1${HIDDEN}@`).replace(AUTHORIZATION, `$1${HIDDEN}`);
}

/** A copy of a JSON value in which URLs lose their signatures and fields with telling names their values. */
export function redact(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, SECRET_NAME.test(name) && typeof inner === 'string' ? HIDDEN : redact(inner)]),
  );
}
