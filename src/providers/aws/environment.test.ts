// The order in which region, endpoint and credentials are looked for.
import { expect, test } from 'vitest';
import { anyCredentialSource, endpointFromEnvironment, keysFromEnvironment, regionFromEnvironment, wantsInstanceMetadata } from './environment.ts';

test('D17 region: configuration, AWS_REGION, AWS_DEFAULT_REGION, then the profile', () => {
  const env = { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-2' };
  expect(regionFromEnvironment('us-west-2', env)).toEqual({ region: 'us-west-2', from: 'configuration' });
  expect(regionFromEnvironment(undefined, env)).toEqual({ region: 'eu-west-1', from: 'AWS_REGION' });
  expect(regionFromEnvironment('', { AWS_DEFAULT_REGION: 'eu-west-2' })).toEqual({ region: 'eu-west-2', from: 'AWS_DEFAULT_REGION' });
  expect(regionFromEnvironment(undefined, {})).toBeUndefined();
});

test('endpoint: the service\'s own variable goes first, and all can be switched off', () => {
  const env = { AWS_ENDPOINT_URL: 'http://all', AWS_ENDPOINT_URL_S3: 'http://s3' };
  expect(endpointFromEnvironment('s3', env)).toBe('http://s3');
  expect(endpointFromEnvironment('quotas', { ...env, AWS_ENDPOINT_URL_SERVICE_QUOTAS: 'http://q' })).toBe('http://q');
  expect(endpointFromEnvironment('ec2', env)).toBe('http://all');
  expect(endpointFromEnvironment('ec2', { ...env, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' })).toBeUndefined();
});

test('a named profile goes before keys, half a key pair is none, and the metadata service is asked only on request', () => {
  const keys = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  expect(keysFromEnvironment({ ...keys, AWS_SESSION_TOKEN: 't' })).toEqual({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 't' });
  expect(keysFromEnvironment({ ...keys, AWS_PROFILE: 'work' })).toBeUndefined();
  expect(keysFromEnvironment({ AWS_ACCESS_KEY_ID: 'a' })).toBeUndefined();
  expect(anyCredentialSource({ HOME: '/nonexistent' })).toBe(false);
  expect(anyCredentialSource({ HOME: '/nonexistent', AWS_PROFILE: 'work' })).toBe(true);
  expect(wantsInstanceMetadata({})).toBe(false);
  expect(wantsInstanceMetadata({ AWS_EC2_METADATA_DISABLED: 'false' })).toBe(true);
  expect(wantsInstanceMetadata({ AWS_EC2_METADATA_DISABLED: 'true', AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://x' })).toBe(false);
});
