// Every foreign error of AWS becomes a RunctlError here, where it enters: service errors by the table, transport errors,
// credential chain errors, and answers that are not AWS at all. The AWS code, message and request id are always kept.
import { RunctlError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/errors.ts';
import { credentialsMissing, regionMissing } from './environment.ts';
import { FALLBACK_DOCS, ROW_BY_CODE } from './error-table.ts';
import type { ErrorContext } from './error-table.ts';

export type CallContext = Omit<ErrorContext, 'awsCode' | 'awsMessage'>;

/** The parts of an SDK error that are looked at. Nothing is sure to be there. */
interface ForeignError {
  name?: string;
  message?: string;
  Code?: string;
  code?: string;
  cause?: unknown;
  $fault?: 'client' | 'server';
  $metadata?: { httpStatusCode?: number; requestId?: string; attempts?: number };
  $response?: { headers?: Record<string, string>; statusCode?: number };
}

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

/** Failures of the transport, by whether the request can have reached the service. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EACCES', 'EPERM']);
const MAYBE_SENT = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'ERR_SOCKET_CLOSED', 'UND_ERR_SOCKET', 'HPE_INVALID_CONSTANT']);

export function translateAwsError(error: unknown, context: CallContext): RunctlError {
  if (error instanceof RunctlError) return error;
  const foreign = (typeof error === 'object' && error !== null ? error : { message: String(error) }) as ForeignError;
  const translated =
    fromChain(foreign) ?? fromTransport(foreign, context) ?? fromForeignBody(foreign, context) ?? fromService(foreign, context);
  return new RunctlError(translated.code, translated.message, {
    cause: translated.reason,
    hints: translated.hints,
    data: { service: context.service, operation: context.operation, ...translated.data },
    source: error,
  });
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

function fromChain(error: ForeignError): RunctlError | undefined {
  const message = error.message ?? '';
  if (/^Region is missing/i.test(message)) return regionMissing();
  if (error.name !== 'CredentialsProviderError' && error.name !== 'ProviderError' && !/^(Could not load credentials|Resolved credential object is not valid)/.test(message)) return undefined;
  if (/aws sso login|sso session|token is expired|expired/i.test(message)) {
    return new RunctlError('credentials-rejected', 'the AWS sign-in has expired', { cause: oneLine(message), hints: ['aws sso login'] });
  }
  return credentialsMissing(oneLine(message));
}

function fromTransport(error: ForeignError, context: CallContext): RunctlError | undefined {
  if (error.$fault) return undefined;
  const inner = error.cause as ForeignError | undefined;
  const code = [error.code, inner?.code].find((value) => typeof value === 'string');
  const where = context.endpoint ?? `${context.service}${context.region ? ` in ${context.region}` : ''}`;
  const fact = `${code ? `${code}: ` : ''}${oneLine(error.message || inner?.message || error.name || 'no message')}`;
  if (code && (/^(CERT_|ERR_TLS|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|EPROTO|ERR_SSL)/.test(code) || code === 'HOSTNAME_MISMATCH')) {
    return new RunctlError('endpoint-unreachable', `no trusted TLS connection to ${where}`, {
      cause: fact,
      hints: ['export NODE_EXTRA_CA_CERTS=/path/to/company-ca.pem', 'env | grep -i proxy'],
      data: { sent: 'never' },
    });
  }
  // The SDK calls a broken connection a timeout too; only one that was never established carried nothing.
  const connecting = error.name === 'TimeoutError' && code === undefined && /did not establish a connection/.test(error.message ?? '');
  const never = (code !== undefined && NEVER_SENT.has(code)) || connecting;
  if (!never && !(code !== undefined && MAYBE_SENT.has(code)) && error.name !== 'TimeoutError' && !/socket hang up/i.test(error.message ?? '')) return undefined;
  return new RunctlError('endpoint-unreachable', `cannot reach ${where}`, {
    cause: fact,
    hints: context.endpoint
      ? ['env | grep AWS_ENDPOINT_URL', 'runctl sim status  # when it is the built-in cloud', 'unset AWS_ENDPOINT_URL']
      : ['env | grep -i -e proxy -e AWS_REGION', 'runctl doctor'],
    data: { sent: never ? 'never' : 'maybe' },
  });
}

/** HTML from a proxy, another service's answer, an emulator that crashed: the SDK cannot parse it. */
function fromForeignBody(error: ForeignError, context: CallContext): RunctlError | undefined {
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode;
  const unparsed = error instanceof SyntaxError || (!error.$fault && status !== undefined) || (isUnknown(error.name) && !context.operation.startsWith('Head'));
  if (!unparsed) return undefined;
  return new RunctlError('endpoint-foreign', `what answers at ${context.endpoint ?? 'the endpoint'} does not speak ${context.service}`, {
    cause: `the answer to ${context.operation}${status === undefined ? '' : ` (HTTP ${status})`} could not be read: ${oneLine(error.message ?? error.name ?? '')}`,
    hints: ['env | grep -i -e AWS_ENDPOINT_URL -e proxy', 'unset AWS_ENDPOINT_URL'],
    data: { httpStatus: status, sent: status !== undefined && status >= 500 ? 'maybe' : 'never' },
  });
}

function fromService(error: ForeignError, context: CallContext): RunctlError {
  const awsCode = error.Code ?? error.name ?? 'Unknown';
  const awsMessage = shorten(oneLine(error.message ?? ''));
  const full: ErrorContext = { ...context, awsCode, awsMessage };
  const row = ROW_BY_CODE.get(awsCode) ?? ROW_BY_CODE.get(error.name ?? '') ?? ROW_BY_CODE.get(awsCode.replace(/Exception$/, ''));
  const httpStatus = error.$metadata?.httpStatusCode;
  const requestId = error.$metadata?.requestId;
  const code: ErrorCode = row?.as ?? (httpStatus === 429 ? 'throttled' : httpStatus !== undefined && httpStatus >= 500 ? 'endpoint-unreachable' : 'cloud-refused');
  const docs = row?.docs ?? FALLBACK_DOCS;
  const bucketRegion = error.$response?.headers?.['x-amz-bucket-region'];
  return new RunctlError(code, row?.says(full) ?? `${context.service} refused ${context.operation}${context.subject ? ` for ${context.subject}` : ''} (${awsCode})`, {
    cause: `${awsCode}: ${awsMessage || 'no message'}${requestId ? ` (request ${requestId})` : ''}; see ${docs}`,
    hints: row?.hints(full) ?? ['runctl doctor'],
    data: {
      awsCode,
      awsMessage,
      ...(httpStatus === undefined ? {} : { httpStatus }),
      ...(requestId ? { requestId } : {}),
      ...(bucketRegion ? { bucketRegion } : {}),
      docs,
      ...(code === 'endpoint-unreachable' ? { sent: 'maybe' } : {}),
    },
  });
}

/** An answer to HEAD has no body: there "Unknown" is a status to be read, not a foreign body. */
const isUnknown = (name: string | undefined): boolean => name === undefined || ['Unknown', 'UnknownError', 'Error', 'NotFound'].includes(name);

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** EC2 appends kilobytes of encoded text to refusals; it says nothing to a reader. */
const shorten = (text: string): string => {
  const cut = text.replace(/\s*Encoded authorization failure message: \S+/, '');
  return cut.length > 600 ? `${cut.slice(0, 600)}…` : cut;
};
