// Does: tells which service and protocol a request is meant for: by the signature's scope, then x-amz-target, then form or path.
// By design: requests for services that do not exist here still get an error in a protocol that their client can read.
import type { Service } from './call.ts';
import type { Dialect } from './faults.ts';

export interface Address {
  dialect: Dialect;
  /** SigV4 service name as far as it is known. */
  name: string;
  /** Undefined: no such service here. */
  service?: Service;
  /** JSON services only: the part of x-amz-target after the dot. */
  targetOperation?: string;
}

const VERSION_TO_SERVICE: Record<string, string> = { '2016-11-15': 'ec2', '2010-05-08': 'iam', '2011-06-15': 'sts' };

export function identify(services: Service[], hints: { scopeService?: string; target?: string; contentType?: string; version?: string }): Address {
  const [targetPrefix, ...operation] = (hints.target ?? '').split('.');
  const targetOperation = operation.join('.');
  const byName = (name: string): Service | undefined => services.find((service) => service.name === name);
  if (hints.scopeService !== undefined) {
    const service = byName(hints.scopeService);
    if (service) return { dialect: service.protocol, name: service.name, service, targetOperation };
    return { dialect: guessDialect(hints), name: hints.scopeService, targetOperation };
  }
  if (hints.target !== undefined) {
    const service = services.find((candidate) => candidate.protocol === 'json' && candidate.target === targetPrefix);
    return { dialect: 'json', name: service?.name ?? targetPrefix ?? '', service, targetOperation };
  }
  if (hints.version !== undefined || isForm(hints.contentType)) {
    const name = VERSION_TO_SERVICE[hints.version ?? ''] ?? 'ec2';
    const service = byName(name);
    return { dialect: service?.protocol ?? 'query', name, service };
  }
  return { dialect: 'rest', name: 's3', service: byName('s3') };
}

const REST_XML = new Set(['s3', 's3express', 's3-outposts', 'cloudfront', 'route53']);

/** For services that are not here: whichever shape of error their client can most likely read. */
function guessDialect(hints: { scopeService?: string; target?: string; contentType?: string }): Dialect {
  if (hints.target === undefined && isForm(hints.contentType)) return 'query';
  return hints.target === undefined && REST_XML.has(hints.scopeService ?? '') ? 'rest' : 'json';
}

export function isForm(contentType: string | undefined): boolean {
  return contentType?.toLowerCase().startsWith('application/x-www-form-urlencoded') ?? false;
}
