// What the environment says about region, endpoint and credentials, in the order the AWS tools use. Pure apart from looking
// whether the two shared files exist. Not here: reading those files, assuming roles, SSO (the SDK's own chain does that).
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { RunctlError } from '../../core/errors.ts';

export type Env = Record<string, string | undefined>;

export type ServiceName = 'ec2' | 'ssm' | 's3' | 'sts' | 'iam' | 'pricing' | 'quotas';

/** Suffix of AWS_ENDPOINT_URL_<SUFFIX>: the SDK's serviceId in upper case. */
const ENDPOINT_SUFFIX: Record<ServiceName, string> = {
  ec2: 'EC2',
  ssm: 'SSM',
  s3: 'S3',
  sts: 'STS',
  iam: 'IAM',
  pricing: 'PRICING',
  quotas: 'SERVICE_QUOTAS',
};

/** The region and where it was named; undefined when only the shared config file can know. AWS_DEFAULT_REGION is the AWS CLI's
 *  name, which the JavaScript SDK does not read by itself. */
export function regionFromEnvironment(option: string | undefined, env: Env): { region: string; from: string } | undefined {
  if (option) return { region: option, from: 'configuration' };
  if (env.AWS_REGION) return { region: env.AWS_REGION, from: 'AWS_REGION' };
  if (env.AWS_DEFAULT_REGION) return { region: env.AWS_DEFAULT_REGION, from: 'AWS_DEFAULT_REGION' };
  return undefined;
}

export function endpointFromEnvironment(service: ServiceName, env: Env): string | undefined {
  if (env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS === 'true') return undefined;
  return env[`AWS_ENDPOINT_URL_${ENDPOINT_SUFFIX[service]}`] || env.AWS_ENDPOINT_URL || undefined;
}

/** Machines are asked for somewhere else than at AWS itself (whose own private endpoints end in its name too): nobody is billed for them. */
export function pretends(env: Env): boolean {
  const endpoint = endpointFromEnvironment('ec2', env);
  return endpoint !== undefined && !(URL.canParse(endpoint) && /\.(amazonaws\.com(\.cn)?|aws)$/.test(new URL(endpoint).hostname));
}

/** Throws config-invalid for an endpoint that is no web address; the SDK would connect to nowhere. */
export function requireUrl(endpoint: string | undefined): string | undefined {
  if (endpoint === undefined || (/^https?:\/\/[^/]/.test(endpoint) && URL.canParse(endpoint))) return endpoint;
  throw new RunctlError('config-invalid', `AWS_ENDPOINT_URL is not a web address: ${endpoint}`, {
    cause: 'it begins with http:// or https:// and a host',
    hints: [`export AWS_ENDPOINT_URL=http://${endpoint.replace(/^\w*:?\/+/, '')}`, 'unset AWS_ENDPOINT_URL   # to use AWS'],
  });
}

/** A proxy variable that is set: the AWS SDK for JavaScript does not read them, which people do not expect. */
export function proxyVariable(env: Env): string | undefined {
  return ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'].find((name) => env[name]);
}

export interface StaticCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** Keys given in the environment; a named profile goes before them, as in the SDK. */
export function keysFromEnvironment(env: Env): StaticCredentials | undefined {
  if (env.AWS_PROFILE || !env.AWS_ACCESS_KEY_ID || !env.AWS_SECRET_ACCESS_KEY) return undefined;
  return {
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    ...(env.AWS_SESSION_TOKEN ? { sessionToken: env.AWS_SESSION_TOKEN } : {}),
  };
}

/** Whether the instance metadata service may be asked for credentials: only on request, because asking costs seconds elsewhere. */
export function wantsInstanceMetadata(env: Env): boolean {
  if (env.AWS_EC2_METADATA_DISABLED) return env.AWS_EC2_METADATA_DISABLED === 'false';
  return Boolean(env.AWS_EC2_METADATA_SERVICE_ENDPOINT);
}

/** Whether any link of the SDK's credential chain could find something: lets the answer "none at all" come at once. */
export function anyCredentialSource(env: Env): boolean {
  const home = env.HOME ?? homedir();
  return Boolean(
    keysFromEnvironment(env) ||
      env.AWS_PROFILE ||
      env.AWS_WEB_IDENTITY_TOKEN_FILE ||
      env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI ||
      env.AWS_CONTAINER_CREDENTIALS_FULL_URI ||
      wantsInstanceMetadata(env) ||
      existsSync(env.AWS_SHARED_CREDENTIALS_FILE ?? join(home, '.aws', 'credentials')) ||
      existsSync(env.AWS_CONFIG_FILE ?? join(home, '.aws', 'config')),
  );
}

export function credentialsMissing(cause: string): RunctlError {
  return new RunctlError('credentials-missing', 'no AWS credentials found', {
    cause,
    hints: [
      'aws configure',
      'export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…',
      'runctl doctor --sim   # every command takes --sim: the built-in cloud, no account, no cost',
      'export AWS_EC2_METADATA_DISABLED=false   # on an EC2 instance that has a role',
    ],
  });
}

export function regionMissing(): RunctlError {
  return new RunctlError('region-missing', 'no AWS region given', {
    cause: 'neither the configuration, AWS_REGION, AWS_DEFAULT_REGION nor the AWS profile names one',
    hints: ['runctl config set aws.region us-east-1', 'export AWS_REGION=us-east-1', 'aws configure set region us-east-1'],
  });
}
