import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRedactor, looksSecret, redact, redactText } from './secrets.ts';
import { anyText } from '../../test/support/any-text.ts';

describe('R270 names of secrets', () => {
  test.each(['WANDB_API_KEY', 'HF_TOKEN', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'dbPassword', '--db-password', 'PGPASSWORD', 'client_secret', 'GITHUB_TOKEN', 'openaiApiKey', 'apikey', 'ACCESSTOKEN', 'private-key', 'X-Amz-Security-Token', 'DOCKER_AUTH_KEY'])(
    '%s is one',
    (name) => expect(looksSecret(name)).toBe(true),
  );
  test.each(['tokenizer', 'max_tokens', '--pad-token', 'eos_token', 'token_ids', 'keyName', 'key_name', 'monkey', 'lr', 'epochs', 'secretary', 'WANDB_MODE', 'sort_key', 'PATH', 'nextToken', 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_WEB_IDENTITY_TOKEN_FILE', '--password-file'])('%s is none', (name) =>
    expect(looksSecret(name)).toBe(false),
  );
});

describe('R270 secrets in text', () => {
  test('R270 URLs lose signature, credential, token and password, and stay readable', () => {
    const url = 'https://b.s3.amazonaws.com/code.tar.gz?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA1%2F2026&X-Amz-Security-Token=SESSION&X-Amz-Signature=abcdef0123&x-id=GetObject';
    const clean = redactText(`curl: (22) ${url} returned 403`);
    expect(clean).not.toMatch(/AKIA1|SESSION|abcdef0123/);
    expect(clean).toContain('https://b.s3.amazonaws.com/code.tar.gz?X-Amz-Algorithm=AWS4-HMAC-SHA256');
    expect(redactText('http://user:hunter22@proxy:3128 and https://ghp0123456789012345678901@github.com/x')).toBe('http://user:[redacted]@proxy:3128 and https://[redacted]@github.com/x');
    expect(redactText('http://:hunter22@proxy')).toBe('http://:[redacted]@proxy');
    for (const plain of ['https://example.com:8080/a@b', 's3://bucket/key', 'ssh git@github.com:x/y', 'error: no machine i-0abc']) expect(redactText(plain)).toBe(plain);
  });

  test('R270 assignments, flags, headers and keys of known shapes', () => {
    for (const text of ['HF_TOKEN=CANARY0', '"wandb_api_key": "CANARY0"', '--db-password CANARY0', 'password: CANARY0', 'Authorization: Bearer CANARY0', 'export X_SECRET="CANARY0"', 'password = "several words CANARY0"', '"{\\"HF_TOKEN\\":\\"CANARY0\\",\\"B\\":1}"', "{'db_password': 'CANARY0'}", `token hf_${'C'.repeat(34)}ANARY0`, '-----BEGIN RSA PRIVATE KEY-----\nCANARY0\n-----END RSA PRIVATE KEY-----']) {
      expect(redactText(text), text).not.toMatch(/ANARY0/);
    }
    for (const plain of ['epochs=3 lr=0.001', '--tokenizer bert-base', 'max_tokens: 4096', '    at fn (/x/secrets.test.ts:165:17)', 'monitor i-0abc --follow', 'aws:RequestTag/key=value']) expect(redactText(plain)).toBe(plain);
  });

  test('R270 arguments and fields of records', () => {
    expect(redact({ args: ['--epochs', '3', '--api-key', 'k', '--token=CANARY', '--password', '--verbose'], env: { HF_TOKEN: 'CANARY', A: '1' }, pinPassword: 1234, n: 5, nothing: null })).toEqual({
      args: ['--epochs', '3', '--api-key', '[redacted]', '--token=[redacted]', '--password', '--verbose'], env: { HF_TOKEN: '[redacted]', A: '1' }, pinPassword: '[redacted]', n: 5, nothing: null,
    });
  });

  test('R270 values that stand in the environment under a telling name are known wherever they turn up', () => {
    const clean = createRedactor({ HF_TOKEN: 'plain words/7', SHORT_TOKEN: 'abc', HOME: '/home/me', EMPTY_TOKEN: undefined });
    expect(clean('cannot read "plain words/7" nor plain%20words%2F7 in /home/me, abc')).toBe('cannot read "[redacted]" nor [redacted] in /home/me, abc');
  });

  test('R270 whatever the password, it is gone from URL, argument and assignment; and nothing throws or grows without end', () => {
    const password = fc.string({ minLength: 8, maxLength: 40, unit: fc.constantFrom(...'ABCDEFGHJKLMNPQRSTUVWXYZ0123456789_.~!*-') }).filter((text) => !text.startsWith('-'));
    fc.assert(fc.property(password, (secret) => {
      for (const text of [`https://me:${secret}@host/path`, `MY_SECRET=${secret}`, `--password ${secret}`, `https://h/?X-Amz-Signature=${secret}&a=1`]) expect(redactText(text)).not.toContain(secret);
    }));
    fc.assert(fc.property(anyText(), (text) => {
      expect(redactText(text).length).toBeLessThanOrEqual(text.length + 10 * (text.length + 1));
    }));
  });
});
