// Does: CreateKeyPair (a real key, its private half given once), ImportKeyPair, DescribeKeyPairs, DeleteKeyPair.
// Gaps: PPK format; DSA and ECDSA imports (EC2 refuses them too).
// By design: the private half is never stored.
// Source: EC2 User Guide "Amazon EC2 key pairs" and "Verify the fingerprint" (SHA-1 of PKCS#8 for made RSA keys, MD5 of the
// public key for imported ones, SHA-256 for ED25519).
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { AwsFault } from '../../wire/call.ts';
import type { QueryService, Xml } from '../../wire/call.ts';
import { dryRun, flag, isoTime, required, text, texts } from './params.ts';
import { tagSet } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import type { KeyPairRow } from './rows.ts';
import { filterRows } from './select.ts';
import { readTagSpecifications } from './tags.ts';

function colons(hash: Buffer): string {
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function sshString(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function sshNumber(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url');
  return sshString((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

/** The blob of an OpenSSH public key line. */
function sshBlob(key: KeyObject): Buffer {
  const jwk = key.export({ format: 'jwk' });
  if (key.asymmetricKeyType === 'ed25519') return Buffer.concat([sshString(Buffer.from('ssh-ed25519')), sshString(Buffer.from(jwk.x ?? '', 'base64url'))]);
  return Buffer.concat([sshString(Buffer.from('ssh-rsa')), sshNumber(jwk.e ?? ''), sshNumber(jwk.n ?? '')]);
}

function opensshPrivate(seed: Buffer, publicBytes: Buffer, name: string): string {
  const publicBlob = Buffer.concat([sshString(Buffer.from('ssh-ed25519')), sshString(publicBytes)]);
  const check = createHash('sha256').update(seed).digest().subarray(0, 4);
  let inside = Buffer.concat([check, check, sshString(Buffer.from('ssh-ed25519')), sshString(publicBytes), sshString(Buffer.concat([seed, publicBytes])), sshString(Buffer.from(name))]);
  // Padding 1, 2, 3… to the cipher's block size, which is 8 for "none".
  for (let pad = 1; inside.length % 8 !== 0; pad++) inside = Buffer.concat([inside, Buffer.from([pad])]);
  const one = Buffer.from([0, 0, 0, 1]);
  const none = sshString(Buffer.from('none'));
  const all = Buffer.concat([Buffer.from('openssh-key-v1\0'), none, none, sshString(Buffer.alloc(0)), one, sshString(publicBlob), sshString(inside)]);
  const lines = all.toString('base64').match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----`;
}

interface MadeKey {
  material: string;
  fingerprint: string;
  publicKey: string;
}

function makeKey(type: 'rsa' | 'ed25519', name: string): MadeKey {
  if (type === 'rsa') {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    return {
      material: String(privateKey.export({ type: 'pkcs1', format: 'pem' })).trimEnd(),
      fingerprint: colons(createHash('sha1').update(privateKey.export({ type: 'pkcs8', format: 'der' })).digest()),
      publicKey: `ssh-rsa ${sshBlob(publicKey).toString('base64')} ${name}`,
    };
  }
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const jwk = privateKey.export({ format: 'jwk' });
  const blob = sshBlob(publicKey);
  return {
    material: opensshPrivate(Buffer.from(jwk.d ?? '', 'base64url'), Buffer.from(jwk.x ?? '', 'base64url'), name),
    fingerprint: createHash('sha256').update(blob).digest('base64').replace(/=+$/, '='),
    publicKey: `ssh-ed25519 ${blob.toString('base64')} ${name}`,
  };
}

function readSshString(blob: Buffer, at: number): { value: Buffer; next: number } {
  if (at + 4 > blob.length) throw badKey();
  const length = blob.readUInt32BE(at);
  if (at + 4 + length > blob.length) throw badKey();
  return { value: blob.subarray(at + 4, at + 4 + length), next: at + 4 + length };
}

function badKey(): AwsFault {
  return new AwsFault('InvalidKey.Format', 'Key is not in valid OpenSSH public key format');
}

function readImported(material: string): Pick<KeyPairRow, 'type' | 'fingerprint' | 'publicKey'> {
  const line = Buffer.from(material, 'base64').toString('utf8').trim();
  const [kind = '', encoded = ''] = line.split(/\s+/);
  const blob = Buffer.from(encoded, 'base64');
  const name = readSshString(blob, 0);
  if (name.value.toString() !== kind) throw badKey();
  if (kind === 'ssh-ed25519') {
    if (readSshString(blob, name.next).value.length !== 32) throw badKey();
    return { type: 'ed25519', fingerprint: createHash('sha256').update(blob).digest('base64'), publicKey: line };
  }
  if (kind !== 'ssh-rsa') throw badKey();
  const exponent = readSshString(blob, name.next);
  const modulus = readSshString(blob, exponent.next);
  const key = createPublicKey({ key: { kty: 'RSA', e: exponent.value.toString('base64url'), n: modulus.value.toString('base64url') }, format: 'jwk' });
  return { type: 'rsa', fingerprint: colons(createHash('md5').update(key.export({ type: 'spki', format: 'der' })).digest()), publicKey: line };
}

export const keyPairOperations: QueryService['operations'] = {
  CreateKeyPair(params, { cloud, region }): Xml {
    const name = required(params, 'KeyName');
    const type = text(params, 'KeyType') ?? 'rsa';
    if (type !== 'rsa' && type !== 'ed25519') throw new AwsFault('InvalidParameterValue', `Invalid value '${type}' for KeyType.`);
    if ((text(params, 'KeyFormat') ?? 'pem') !== 'pem') throw new AwsFault('UnsupportedOperation', 'The pretend cloud makes keys in PEM format only.');
    const { keys } = ec2Tables(cloud.world);
    if (keys.get(`${region}/${name}`)) throw new AwsFault('InvalidKeyPair.Duplicate', 'The keypair already exists');
    const tags = readTagSpecifications(params, ['key-pair'])['key-pair'] ?? {};
    dryRun(params);
    const made = makeKey(type, name);
    const keyPairId = cloud.world.newId('key');
    keys.put(`${region}/${name}`, { keyPairId, name, region, type, fingerprint: made.fingerprint, publicKey: made.publicKey, createdAt: cloud.clock.now(), tags });
    return { keyName: name, keyFingerprint: made.fingerprint, keyMaterial: made.material, keyPairId, tagSet: tagSet(tags) };
  },

  ImportKeyPair(params, { cloud, region }): Xml {
    const name = required(params, 'KeyName');
    const material = required(params, 'PublicKeyMaterial');
    const { keys } = ec2Tables(cloud.world);
    if (keys.get(`${region}/${name}`)) throw new AwsFault('InvalidKeyPair.Duplicate', 'The keypair already exists');
    const imported = readImported(material);
    const tags = readTagSpecifications(params, ['key-pair'])['key-pair'] ?? {};
    dryRun(params);
    const keyPairId = cloud.world.newId('key');
    keys.put(`${region}/${name}`, { keyPairId, name, region, ...imported, createdAt: cloud.clock.now(), tags });
    return { keyName: name, keyFingerprint: imported.fingerprint, keyPairId, tagSet: tagSet(tags) };
  },

  DescribeKeyPairs(params, { cloud, region }): Xml {
    const names = texts(params, 'KeyName');
    const ids = texts(params, 'KeyPairId');
    const own = ec2Tables(cloud.world).keys.values().filter((key) => key.region === region);
    const unknown = names.find((name) => !own.some((key) => key.name === name)) ?? ids.find((id) => !own.some((key) => key.keyPairId === id));
    if (unknown !== undefined) throw new AwsFault('InvalidKeyPair.NotFound', `The key pair '${unknown}' does not exist`);
    const chosen = own.filter((key) => (names.length === 0 || names.includes(key.name)) && (ids.length === 0 || ids.includes(key.keyPairId)));
    const matching = filterRows(
      chosen,
      params,
      { 'key-name': (key) => key.name, 'key-pair-id': (key) => key.keyPairId, fingerprint: (key) => key.fingerprint },
      (key) => key.tags,
    );
    const withPublic = flag(params, 'IncludePublicKey') ?? false;
    dryRun(params);
    return {
      keySet: {
        item: matching.map((key) => ({
          keyPairId: key.keyPairId,
          keyName: key.name,
          keyFingerprint: key.fingerprint,
          keyType: key.type,
          publicKey: withPublic ? key.publicKey : undefined,
          createTime: isoTime(key.createdAt),
          tagSet: tagSet(key.tags),
        })),
      },
    };
  },

  DeleteKeyPair(params, { cloud, region }): Xml {
    const name = text(params, 'KeyName');
    const id = text(params, 'KeyPairId');
    if (name === undefined && id === undefined) throw new AwsFault('MissingParameter', 'The request must contain the parameter KeyName or KeyPairId');
    const { keys } = ec2Tables(cloud.world);
    const row = keys.values().find((key) => key.region === region && (id === undefined ? key.name === name : key.keyPairId === id));
    dryRun(params);
    // Deleting what is not there succeeds.
    if (row) keys.delete(`${region}/${row.name}`);
    return { return: true, keyPairId: row?.keyPairId };
  },
};
