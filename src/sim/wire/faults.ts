// Does: renders an error in the shape of each protocol, and words what the signature check found as each service words it.
// Gaps: messages follow those seen from AWS where known, else they say the same in plain words.
// By design: a mismatch shows the canonical request to S3 clients (as S3 does) and to nobody else.
// Source: EC2 API Reference "Error codes"; IAM and STS "Common Errors"; S3 "List of error codes"; Smithy AWS JSON 1.1 protocol.
import { AwsFault } from './call.ts';
import type { SignatureFault } from './claim.ts';
import { MOST_SKEW_MS } from './sigv4.ts';
import { XML_DECLARATION, renderXml } from './xml.ts';

export type Dialect = 'ec2' | 'query' | 'json' | 'rest';

export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const QUERY_XMLNS: Record<string, string> = {
  iam: 'https://iam.amazonaws.com/doc/2010-05-08/',
  sts: 'https://sts.amazonaws.com/doc/2011-06-15/',
};

export function renderFault(dialect: Dialect, service: string, fault: AwsFault, requestId: string, hostId: string): Reply {
  const extra = fault.extra.headers ?? {};
  switch (dialect) {
    case 'json':
      return {
        status: fault.status,
        headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': fault.code, ...extra },
        body: JSON.stringify({ __type: fault.code, message: fault.message, ...fault.extra.body }),
      };
    case 'ec2':
      return xmlReply(fault.status, extra, {
        Response: { Errors: { Error: { Code: fault.code, Message: fault.message, ...fault.extra.body } }, RequestID: requestId },
      });
    case 'query': {
      const type = fault.status >= 500 ? 'Receiver' : 'Sender';
      const inside = renderXml({ Error: { Type: type, Code: fault.code, Message: fault.message, ...fault.extra.body }, RequestId: requestId });
      return {
        status: fault.status,
        headers: { 'content-type': 'text/xml', ...extra },
        body: `<ErrorResponse xmlns="${QUERY_XMLNS[service] ?? 'http://webservices.amazon.com/AWSFault/2005-15-09'}">${inside}</ErrorResponse>`,
      };
    }
    case 'rest':
      return xmlReply(
        fault.status,
        { ...extra },
        { Error: { Code: fault.code, Message: fault.message, ...fault.extra.body, RequestId: requestId, HostId: hostId } },
        'application/xml',
      );
  }
}

function xmlReply(status: number, headers: Record<string, string>, content: Parameters<typeof renderXml>[0], type = 'text/xml;charset=UTF-8'): Reply {
  return { status, headers: { 'content-type': type, ...headers }, body: XML_DECLARATION + renderXml(content) };
}

export function unknownOperation(dialect: Dialect, service: string, operation: string): AwsFault {
  switch (dialect) {
    case 'ec2':
      return new AwsFault('InvalidAction', `The action ${operation} is not valid for this web service.`);
    case 'query':
      return new AwsFault('InvalidAction', `Could not find operation ${operation} of service ${service}.`);
    case 'json':
      return new AwsFault('UnknownOperationException', `The operation ${operation} is not known to service ${service}.`);
    case 'rest':
      return new AwsFault('NotImplemented', `A header or operation you provided implies functionality that is not implemented: ${operation}.`, 501);
  }
}

export function missingToken(dialect: Dialect): AwsFault {
  switch (dialect) {
    case 'json':
      return new AwsFault('MissingAuthenticationTokenException', 'Missing Authentication Token');
    case 'rest':
      return new AwsFault('AccessDenied', 'Access Denied', 403);
    case 'ec2':
    case 'query':
      return new AwsFault('MissingAuthenticationToken', 'Request is missing Authentication Token', 403);
  }
}

export function internalFault(dialect: Dialect): AwsFault {
  const code = dialect === 'json' ? 'InternalServerError' : dialect === 'query' ? 'InternalFailure' : 'InternalError';
  return new AwsFault(code, 'An internal error has occurred in the pretend cloud; its log has the details.', 500);
}

const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';
const INVALID_TOKEN = 'The security token included in the request is invalid.';

export function signatureFault(fault: SignatureFault, dialect: Dialect, accessKeyId: string, nowMs: number): AwsFault {
  switch (dialect) {
    case 'ec2':
      return ec2SignatureFault(fault);
    case 'query':
      return querySignatureFault(fault, nowMs);
    case 'json':
      return jsonSignatureFault(fault, nowMs);
    case 'rest':
      return s3SignatureFault(fault, accessKeyId, nowMs);
  }
}

function ec2SignatureFault(fault: SignatureFault): AwsFault {
  switch (fault.kind) {
    case 'skewed':
    case 'expired-url':
      return new AwsFault('RequestExpired', 'Request has expired.');
    case 'expired-token':
      return new AwsFault('RequestExpired', 'The security token included in the request is expired.');
    case 'incomplete':
      return new AwsFault('IncompleteSignature', fault.detail);
    default:
      return new AwsFault('AuthFailure', 'AWS was not able to validate the provided access credentials', 401);
  }
}

function querySignatureFault(fault: SignatureFault, nowMs: number): AwsFault {
  switch (fault.kind) {
    case 'unknown-key':
    case 'bad-token':
      return new AwsFault('InvalidClientTokenId', INVALID_TOKEN, 403);
    case 'expired-token':
      return new AwsFault('ExpiredToken', 'The security token included in the request is expired', 403);
    case 'skewed':
    case 'expired-url':
      return new AwsFault('SignatureDoesNotMatch', skewText(fault, nowMs), 403);
    case 'incomplete':
      return new AwsFault('IncompleteSignature', fault.detail, 400);
    default:
      return new AwsFault('SignatureDoesNotMatch', MISMATCH, 403);
  }
}

function jsonSignatureFault(fault: SignatureFault, nowMs: number): AwsFault {
  switch (fault.kind) {
    case 'unknown-key':
    case 'bad-token':
      return new AwsFault('UnrecognizedClientException', INVALID_TOKEN);
    case 'expired-token':
      return new AwsFault('ExpiredTokenException', 'The security token included in the request is expired');
    case 'skewed':
    case 'expired-url':
      return new AwsFault('InvalidSignatureException', skewText(fault, nowMs));
    case 'incomplete':
      return new AwsFault('IncompleteSignatureException', fault.detail);
    default:
      return new AwsFault('InvalidSignatureException', MISMATCH);
  }
}

function skewText(fault: SignatureFault, nowMs: number): string {
  const minutes = MOST_SKEW_MS / 60_000;
  const at = fault.kind === 'skewed' ? fault.requestAt : '';
  return `Signature expired: ${at} is not within ${minutes} min. of ${new Date(nowMs).toISOString()}`;
}

function s3SignatureFault(fault: SignatureFault, accessKeyId: string, nowMs: number): AwsFault {
  switch (fault.kind) {
    case 'unknown-key':
      return new AwsFault('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', 403, { body: { AWSAccessKeyId: accessKeyId } });
    case 'bad-token':
      return new AwsFault('InvalidToken', 'The provided token is malformed or otherwise invalid.', 400);
    case 'expired-token':
      return new AwsFault('ExpiredToken', 'The provided token has expired.', 400);
    case 'skewed':
      return new AwsFault('RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.', 403, {
        body: { RequestTime: fault.requestAt, ServerTime: new Date(nowMs).toISOString(), MaxAllowedSkewMilliseconds: String(MOST_SKEW_MS) },
      });
    case 'expired-url':
      return new AwsFault('AccessDenied', 'Request has expired', 403, { body: { Expires: fault.expiresAt, ServerTime: fault.nowAt } });
    case 'unsigned-headers':
      return new AwsFault('AccessDenied', 'There were headers present in the request which were not signed', 403, {
        body: { HeadersNotSigned: fault.names.join(', ') },
      });
    case 'incomplete':
      return new AwsFault('AuthorizationQueryParametersError', fault.detail, 400);
    case 'mismatch':
      return new AwsFault('SignatureDoesNotMatch', 'The request signature we calculated does not match the signature you provided. Check your key and signing method.', 403, {
        body: { AWSAccessKeyId: accessKeyId, StringToSign: fault.stringToSign, CanonicalRequest: fault.canonicalRequest },
      });
  }
}
