// Every foreign error of AWS becomes a RunctlError here, where it enters: service errors by the table, transport errors,
// credential chain errors, and answers that are not AWS at all. The AWS code, message and request id are always kept.
import { RunctlError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/errors.ts';
import { credentialsMissing, regionMissing } from './environment.ts';
import { pageOfService } from './error-row.ts';
import type { ErrorContext, ForeignError } from './error-row.ts';
import { bareCode, rowFor } from './error-table.ts';
import { fromForeignBody, fromTransport } from './errors-transport.ts';

export interface CallContext extends Omit<ErrorContext, 'awsCode' | 'awsMessage'> {
  /** Name of a proxy variable that is set. */
  proxy?: string;
}

export function translateAwsError(error: unknown, context: CallContext): RunctlError {
  if (error instanceof RunctlError) return error;
  const foreign = (typeof error === 'object' && error !== null ? error : { message: String(error) }) as ForeignError;
  const translated =
    fromChain(foreign) ?? fromTransport(foreign, context, context.proxy) ?? fromForeignBody(foreign, context) ?? fromService(foreign, context);
  return new RunctlError(translated.code, translated.message, {
    cause: translated.reason,
    hints: translated.hints,
    data: { service: context.service, operation: context.operation, ...translated.data },
    source: error,
  });
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

function fromService(error: ForeignError, context: CallContext): RunctlError {
  const httpStatus = error.$metadata?.httpStatusCode;
  const { proxy: _, ...called } = context;
  const awsMessage = shorten(oneLine(error.message ?? ''));
  // The SDK's class name and the wire's code may differ (NoSuchEntityException, NoSuchEntity); the wire's is what AWS documents.
  const wireCode = error.Code ?? error.name ?? 'Unknown';
  const awsCode = bareCode(/^(Unknown|UnknownError)$/.test(wireCode) ? (BY_STATUS[httpStatus ?? 0] ?? wireCode) : wireCode);
  const full: ErrorContext = { ...called, awsCode, awsMessage };
  const row = rowFor(full) ?? rowFor({ ...full, awsCode: error.name ?? '' });
  const requestId = error.$metadata?.requestId;
  const code: ErrorCode = row?.as ?? (httpStatus === 429 ? 'throttled' : httpStatus !== undefined && httpStatus >= 500 ? 'endpoint-unreachable' : 'cloud-refused');
  const bucketRegion = error.$response?.headers?.['x-amz-bucket-region'];
  return new RunctlError(code, row?.says(full) ?? `${context.service} refused ${context.operation}${context.subject ? ` for ${context.subject}` : ''} (${awsCode})`, {
    cause: `${awsCode}: ${awsMessage || 'no message'}${requestId ? ` (request ${requestId})` : ''}`,
    hints: row?.hints(full) ?? ['runctl doctor', 'aws sts get-caller-identity'],
    data: {
      awsCode,
      awsMessage,
      ...(httpStatus === undefined ? {} : { httpStatus }),
      ...(requestId ? { requestId } : {}),
      ...(bucketRegion ? { bucketRegion } : {}),
      docs: row?.docs ?? pageOfService(context.service),
      ...(row?.refusal ? { refusal: row.refusal } : {}),
      ...(code === 'endpoint-unreachable' ? { sent: 'maybe' } : {}),
    },
  });
}

/** An answer to HEAD has no body: the status is all that it says. */
const BY_STATUS: Record<number, string> = { 301: 'PermanentRedirect', 307: 'TemporaryRedirect', 403: 'AccessDenied', 404: 'NotFound', 412: 'PreconditionFailed', 500: 'InternalError', 503: 'ServiceUnavailable' };

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** EC2 appends kilobytes of encoded text to refusals; it says nothing to a reader. */
const shorten = (text: string): string => {
  const cut = text.replace(/\s*Encoded authorization failure message: \S+/, '');
  return cut.length > 600 ? `${cut.slice(0, 600)}…` : cut;
};
