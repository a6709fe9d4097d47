// Does: the error that each kind of weather is, with the code, status and words of the service that is called.
// Gaps: words follow AWS where they are documented or widely quoted, else they say the same plainly.
// Source: EC2 API Reference "Error codes" (RequestLimitExceeded, InsufficientInstanceCapacity, UnauthorizedOperation, Unavailable);
// SSM, Service Quotas, Price List, IAM and STS "Common Errors"; S3 API Reference "Error responses" (SlowDown, NoSuchBucket).
import { spotCountExceeded } from '../aws/ec2/vcpu-quota.ts';
import { AwsFault } from '../wire/call.ts';
import { signatureFault } from '../wire/faults.ts';
import type { Dialect } from '../wire/faults.ts';
import type { WireCall } from './match.ts';
import type { WeatherRule } from './plan.ts';

/** Undefined: weather of this kind is no refusal. */
export function refusalOf(rule: WeatherRule, call: WireCall, dialect: Dialect, who: { accessKeyId: string; principalArn: string }): AwsFault | undefined {
  switch (rule.kind) {
    case 'throttle':
      return throttled(dialect, call);
    case 'error':
      return new AwsFault(rule.code ?? '', rule.message ?? `Weather: ${rule.code}.`, rule.status ?? 400);
    case 'access-denied':
      return accessDenied(dialect, call, who.principalArn);
    case 'credentials-expired':
      return signatureFault({ kind: 'expired-token' }, dialect, who.accessKeyId, Date.now());
    case 'server-error':
      return serverError(dialect, rule.status ?? 500);
    case 'capacity':
      return new AwsFault(
        'InsufficientInstanceCapacity',
        call.spot
          ? 'There is no Spot capacity available that matches your request.'
          : `We currently do not have sufficient ${call.instanceType ?? 'instance'} capacity in the Availability Zone you requested. Our system will be working on provisioning additional capacity.`,
        500,
      );
    case 'quota':
      if (call.spot) return spotCountExceeded();
      return new AwsFault(
        'VcpuLimitExceeded',
        'You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.',
      );
    case 'bucket-missing':
      return new AwsFault('NoSuchBucket', 'The specified bucket does not exist', 404, { body: { BucketName: call.bucket ?? '' } });
    case 'bucket-forbidden':
      return new AwsFault('AccessDenied', 'Access Denied', 403);
    default:
      return undefined;
  }
}

function throttled(dialect: Dialect, call: WireCall): AwsFault {
  switch (dialect) {
    case 'ec2':
      return new AwsFault('RequestLimitExceeded', 'Request limit exceeded.', 503);
    case 'query':
      return new AwsFault('Throttling', 'Rate exceeded', 400);
    case 'json':
      return new AwsFault(call.operation.startsWith('servicequotas.') ? 'TooManyRequestsException' : 'ThrottlingException', 'Rate exceeded', 400);
    case 'rest':
      return new AwsFault('SlowDown', 'Please reduce your request rate.', 503);
  }
}

function accessDenied(dialect: Dialect, call: WireCall, principalArn: string): AwsFault {
  const action = call.operation.replace('.', ':');
  const why = `User: ${principalArn} is not authorized to perform: ${action} because no identity-based policy allows the ${action} action`;
  switch (dialect) {
    case 'ec2':
      return new AwsFault('UnauthorizedOperation', `You are not authorized to perform this operation. ${why}`, 403);
    case 'query':
      return new AwsFault('AccessDenied', why, 403);
    case 'json':
      return new AwsFault('AccessDeniedException', why, 400);
    case 'rest':
      return new AwsFault('AccessDenied', why, 403);
  }
}

function serverError(dialect: Dialect, status: number): AwsFault {
  const unavailable = status === 503;
  switch (dialect) {
    case 'ec2':
      return unavailable ? new AwsFault('Unavailable', 'The server is overloaded and can\'t handle the request.', status) : new AwsFault('InternalError', 'An internal error has occurred', status);
    case 'query':
      return unavailable ? new AwsFault('ServiceUnavailable', 'The request has failed due to a temporary failure of the server.', status) : new AwsFault('InternalFailure', 'The request processing has failed because of an unknown error, exception or failure.', status);
    case 'json':
      return unavailable ? new AwsFault('ServiceUnavailable', 'The request has failed due to a temporary failure of the server.', status) : new AwsFault('InternalServerError', 'An error occurred on the server side.', status);
    case 'rest':
      return unavailable ? new AwsFault('ServiceUnavailable', 'Please reduce your request rate.', status) : new AwsFault('InternalError', 'We encountered an internal error. Please try again.', status);
  }
}
