// What one row of the error tables looks like, and the words that many rows share.
import type { ErrorCode } from '../../core/errors.ts';

/** What a row may use to word itself. */
export interface ErrorContext {
  service: string;
  operation: string;
  /** What the call was about: a machine id, a bucket, a type. */
  subject?: string;
  region?: string;
  /** Of spot launches: where it was tried. */
  zone?: string;
  endpoint?: string;
  awsCode: string;
  awsMessage: string;
}

/** The parts of an SDK error that are looked at. Nothing is sure to be there. */
export interface ForeignError {
  name?: string;
  message?: string;
  Code?: string;
  code?: string;
  cause?: unknown;
  /** Of an AggregateError: one failure for each address that was tried. */
  errors?: unknown[];
  $fault?: 'client' | 'server';
  $metadata?: { httpStatusCode?: number; requestId?: string; attempts?: number };
  $response?: { headers?: Record<string, string>; statusCode?: number };
  /** What came, where the SDK could not read it. */
  $responseBodyText?: string;
}

export interface ErrorRow {
  codes: string[];
  as: ErrorCode;
  /** Only when this holds; rows without it are the rest. */
  when?: (context: ErrorContext) => boolean;
  says: (context: ErrorContext) => string;
  /** Usual reasons, for somebody who never met the code. */
  why: string;
  /** Whole commands, most useful first. */
  hints: (context: ErrorContext) => string[];
  /** Page that AWS keeps about it. */
  docs: string;
  /** For `runctl explain`, where the meaning of `as` would mislead. */
  meaning?: string;
  /** What about the request was refused, where `as` does not tell; for whoever decides what to try next. */
  refusal?: 'price';
  /** Anchor in docs/troubleshooting.md when it is not the one of `as`. */
  trouble?: string;
}

const GUIDE = 'https://docs.aws.amazon.com';
export const PAGES = {
  ec2: `${GUIDE}/AWSEC2/latest/APIReference/errors-overview.html`,
  s3: `${GUIDE}/AmazonS3/latest/API/ErrorResponses.html`,
  ssm: `${GUIDE}/systems-manager/latest/APIReference/API_SendCommand.html#API_SendCommand_Errors`,
  iam: `${GUIDE}/IAM/latest/APIReference/CommonErrors.html`,
  sts: `${GUIDE}/STS/latest/APIReference/CommonErrors.html`,
  pricing: `${GUIDE}/awsaccountbilling/latest/aboutv2/price-list-api.html`,
  quotas: `${GUIDE}/servicequotas/2019-06-24/apireference/CommonErrors.html`,
  ecr: `${GUIDE}/AmazonECR/latest/APIReference/CommonErrors.html`,
  launch: `${GUIDE}/AWSEC2/latest/UserGuide/troubleshooting-launch.html`,
  states: `${GUIDE}/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html`,
  limits: `${GUIDE}/AWSEC2/latest/UserGuide/ec2-resource-limits.html`,
  volumes: `${GUIDE}/ebs/latest/userguide/ebs-volume-lifecycle.html`,
  spot: `${GUIDE}/AWSEC2/latest/UserGuide/spot-request-status.html`,
  denied: `${GUIDE}/IAM/latest/UserGuide/troubleshoot_access-denied.html`,
  keys: `${GUIDE}/cli/latest/userguide/cli-chap-authentication.html`,
  signature: `${GUIDE}/IAM/latest/UserGuide/reference_sigv-troubleshooting.html`,
  endpoints: `${GUIDE}/sdkref/latest/guide/feature-ss-endpoints.html`,
} as const;

/** Where the errors of a service are listed: for codes that no row knows. */
export function pageOfService(service: string): string {
  return service in PAGES ? PAGES[service as keyof typeof PAGES] : PAGES.ec2;
}

export const named = (context: ErrorContext): string => context.subject ?? context.operation;
export const inRegion = (context: ErrorContext): string => (context.region ? ` in ${context.region}` : '');
export const inZone = (context: ErrorContext): string => (context.zone ? ` in ${context.zone}` : inRegion(context));
export const regionFlag = (context: ErrorContext): string => (context.region ? ` --region ${context.region}` : '');
/** runctl's machines, as the AWS CLI lists them. */
export const listMachines = (context: ErrorContext): string =>
  `aws ec2 describe-instances --filters Name=tag-key,Values=runctl:owner --query 'Reservations[].Instances[].[InstanceId,State.Name,InstanceType]' --output text${regionFlag(context)}`;
/** The subject when it has the shape that a command needs, else a word to replace. */
export const orWord = (context: ErrorContext, shape: RegExp, word: string): string => (shape.test(context.subject ?? '') ? (context.subject as string) : word);
export const machineOr = (context: ErrorContext): string => orWord(context, /^i-/, 'INSTANCE_ID');
