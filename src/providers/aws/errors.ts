// What a translated AWS error says about the call: read by whoever decides whether to ask again. Small, since every call loads it;
// the translation itself (translate.ts, with its tables) is loaded when something has gone wrong.
import { RunctlError } from '../../core/errors.ts';

/** What `data` of a translated error holds. */
export interface AwsErrorData {
  service: string;
  operation: string;
  awsCode?: string;
  awsMessage?: string;
  httpStatus?: number;
  requestId?: string;
  /** `x-amz-bucket-region` of S3's answer. */
  bucketRegion?: string;
  docs?: string;
}

/** The AWS facts of a translated error; undefined for errors from elsewhere. */
export function awsErrorData(error: unknown): AwsErrorData | undefined {
  return error instanceof RunctlError && typeof error.data?.operation === 'string' ? (error.data as unknown as AwsErrorData) : undefined;
}

export function isAwsCode(error: unknown, ...codes: string[]): boolean {
  const code = awsErrorData(error)?.awsCode;
  return code !== undefined && codes.includes(code);
}

/** Whether the request surely did nothing: it may be sent again whatever it asks for. */
export function surelyNotDone(error: unknown): boolean {
  if (!(error instanceof RunctlError)) return false;
  return error.code === 'throttled' || error.data?.sent === 'never';
}

/** Whether nobody knows if the request was carried out. */
export function perhapsDone(error: unknown): boolean {
  if (!(error instanceof RunctlError) || surelyNotDone(error)) return false;
  return error.code === 'endpoint-unreachable' || error.data?.sent === 'maybe';
}
