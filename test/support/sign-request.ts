// A second, independent signer of Signature Version 4 for tests that must send what no SDK would. It shares no code with the
// verifier of the sim, so that both cannot be wrong in the same way.
import { createHash, createHmac } from 'node:crypto';

export function signatureOf(input: {
  service: string;
  region: string;
  method: string;
  /** With query string; must already be encoded. */
  path: string;
  host: string;
  headers: Record<string, string>;
  payloadHash: string;
  accessKeyId: string;
  secretAccessKey: string;
  atMs: number;
}): Record<string, string> {
  const stamp = `${new Date(input.atMs).toISOString().slice(0, 19).replaceAll('-', '').replaceAll(':', '')}Z`;
  const day = stamp.slice(0, 8);
  const all: Record<string, string> = { ...input.headers, host: input.host, 'x-amz-date': stamp };
  const names = Object.keys(all).sort();
  const [path = '/', query = ''] = input.path.split('?');
  const canonical = [
    input.method,
    path,
    query.split('&').filter(Boolean).sort().map((pair) => (pair.includes('=') ? pair : `${pair}=`)).join('&'),
    ...names.map((name) => `${name}:${all[name] ?? ''}`),
    '',
    names.join(';'),
    input.headers['x-amz-content-sha256'] ?? input.payloadHash,
  ].join('\n');
  const scope = [day, input.region, input.service, 'aws4_request'];
  const text = ['AWS4-HMAC-SHA256', stamp, scope.join('/'), createHash('sha256').update(canonical).digest('hex')].join('\n');
  const key = scope.reduce<Buffer | string>((secret, part) => createHmac('sha256', secret).update(part).digest(), `AWS4${input.secretAccessKey}`);
  const signature = createHmac('sha256', key).update(text).digest('hex');
  return { ...all, authorization: `AWS4-HMAC-SHA256 Credential=${input.accessKeyId}/${scope.join('/')}, SignedHeaders=${names.join(';')}, Signature=${signature}` };
}
