// Failures below AWS: no connection, no trust, a wrong clock's certificate, or an answer that is not the service's.
// Each is told apart, because each has another remedy. runctl connects directly: the AWS SDK for JavaScript reads no proxy variable.
import { RunctlError } from '../../core/errors.ts';
import type { ErrorContext, ForeignError } from './error-row.ts';

type Context = Omit<ErrorContext, 'awsCode' | 'awsMessage'>;

interface Failure {
  /** Matches the code of Node or OpenSSL. */
  codes: RegExp;
  says: (where: string) => string;
  why: string;
  /** Whether the request can have reached the service. */
  sent: 'never' | 'maybe';
  hints: (context: Context) => string[];
}

const host = (c: Context): string => (c.endpoint ? hostOf(c.endpoint) : `${HOSTS[c.service] ?? c.service}${GLOBAL.has(c.service) || !c.region ? '' : `.${c.region}`}.amazonaws.com`);
const HOSTS: Record<string, string> = { quotas: 'servicequotas', pricing: 'api.pricing' };
const GLOBAL = new Set(['iam']);
const reach = (c: Context): string => `curl -sS -o /dev/null -w '%{http_code}\\n' ${c.endpoint ?? `https://${host(c)}`}`;
const endpointHints = (c: Context): string[] => (c.endpoint ? ['env | grep AWS_ENDPOINT_URL', 'runctl sim status   # when it is the built-in cloud', 'unset AWS_ENDPOINT_URL   # to use AWS'] : []);
const COMPANY_CA = 'export NODE_EXTRA_CA_CERTS=/path/to/company-ca.pem';

const FAILURES: Failure[] = [
  {
    codes: /^(ENOTFOUND|EAI_AGAIN|EAI_NODATA|EAI_FAIL)$/,
    says: (where) => `the name of ${where} cannot be resolved`,
    why: 'no network, a broken DNS, a region that does not exist, or a network that reaches the world through a proxy only',
    sent: 'never',
    hints: (c) => [...endpointHints(c), ...(c.endpoint ? [] : ["aws ec2 describe-regions --query 'Regions[].RegionName' --output text   # is the region right?", 'runctl config set aws.region us-east-1']), `getent hosts ${host(c)} || nslookup ${host(c)}`],
  },
  {
    codes: /^ECONNREFUSED$/,
    says: (where) => `nothing listens at ${where}`,
    why: 'the server is not started, listens on another port, or a firewall refuses',
    sent: 'never',
    hints: (c) => [...endpointHints(c), reach(c)],
  },
  {
    codes: /^(ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL|ENETDOWN|EHOSTDOWN)$/,
    says: (where) => `no network leads to ${where}`,
    why: 'this computer is offline, or a VPN or route is missing',
    sent: 'never',
    hints: (c) => [reach(c), ...endpointHints(c)],
  },
  {
    codes: /^(EACCES|EPERM)$/,
    says: (where) => `this computer forbids the connection to ${where}`,
    why: 'a local firewall or a sandbox',
    sent: 'never',
    hints: (c) => [reach(c)],
  },
  {
    codes: /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/,
    says: (where) => `the TLS certificate of ${where} is not valid at this computer's time`,
    why: 'the clock of this computer is wrong, or the certificate of a proxy or emulator has run out',
    sent: 'never',
    hints: () => ['date -u', 'sudo timedatectl set-ntp true   # Linux'],
  },
  {
    codes: /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/,
    says: (where) => `what answers at ${where} shows the TLS certificate of somebody else`,
    why: 'a network that wants a login first, a DNS that leads elsewhere, or a wrong host name in AWS_ENDPOINT_URL',
    sent: 'never',
    hints: (c) => [...endpointHints(c), `curl -sSI https://${host(c)}`],
  },
  {
    codes: /^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS)/,
    says: (where) => `no trusted TLS connection to ${where}`,
    why: 'a company proxy opens the connection and signs with its own authority, which Node does not know; or the emulator has a certificate of its own making',
    sent: 'never',
    hints: () => [COMPANY_CA, 'env | grep -i proxy'],
  },
  {
    codes: /^(EPROTO|ERR_SSL)/,
    says: (where) => `${where} does not speak TLS`,
    why: 'the address says https, the server answers plain http (or speaks no TLS that Node accepts)',
    sent: 'never',
    hints: (c) => [...endpointHints(c), ...(c.endpoint?.startsWith('https://') ? [`export AWS_ENDPOINT_URL=${c.endpoint.replace('https://', 'http://')}`] : [reach(c)])],
  },
  {
    codes: /^(ECONNRESET|EPIPE|ECONNABORTED|ERR_SOCKET_CLOSED|UND_ERR_SOCKET|ERR_STREAM_PREMATURE_CLOSE)$/,
    says: (where) => `the connection to ${where} broke off`,
    why: 'a network that comes and goes, a proxy or VPN that cuts long connections, or a server that went away',
    sent: 'maybe',
    hints: (c) => ['sleep 10   # then run the same command again', reach(c), ...endpointHints(c)],
  },
];

export function fromTransport(error: ForeignError, context: Context, proxy: string | undefined): RunctlError | undefined {
  if (error.$fault) return undefined;
  const inner = (error.cause ?? error.errors?.[0]) as ForeignError | undefined;
  const code = [error.code, inner?.code].find((value) => typeof value === 'string');
  const where = context.endpoint ?? `${context.service}${context.region ? ` in ${context.region}` : ''}`;
  const text = oneLine(error.message || inner?.message || error.name || 'no message');
  const fact = code && !text.includes(code) ? `${code}: ${text}` : text;
  const direct = proxy === undefined ? '' : `. ${proxy} is set, but runctl connects directly`;
  const make = (failure: Pick<Failure, 'sent'>, message: string, why: string, hints: string[]): RunctlError =>
    new RunctlError('endpoint-unreachable', message, { cause: `${fact}: ${why}${direct}`, hints: [...new Set([...hints, 'runctl doctor'])], data: { transport: code ?? error.name ?? 'unknown', sent: failure.sent } });
  if (code?.startsWith('HPE_')) return foreign(context, `the answer is not HTTP (${fact})`, { sent: 'maybe' });
  const failure = FAILURES.find(({ codes }) => code !== undefined && codes.test(code)) ?? (/socket hang up/i.test(text) ? FAILURES.at(-1) : undefined);
  if (failure) return make(failure, failure.says(where), failure.why, failure.hints(context));
  if (error.name !== 'TimeoutError' && code !== 'ETIMEDOUT') return undefined;
  // The SDK calls both a timeout; only a connection that was never established carried nothing.
  const connecting = /did not establish a connection|connect ETIMEDOUT/.test(text);
  return connecting
    ? make({ sent: 'never' }, `${where} does not take the connection`, 'a firewall that drops packets, a network that reaches the world through a proxy only, or a server that is overloaded', [reach(context), 'env | grep -i proxy', ...endpointHints(context)])
    : make({ sent: 'maybe' }, `${where} took the request and did not answer in time`, 'a slow network, or a server that hangs', ['sleep 10   # then run the same command again', reach(context), ...endpointHints(context)]);
}

/** HTML from a proxy, another service's answer, an emulator that crashed: what the SDK cannot read, or read wrongly. */
export function fromForeignBody(error: ForeignError, context: Context): RunctlError | undefined {
  const body = error.$responseBodyText;
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode;
  const nameless = error.name === undefined || ['Unknown', 'UnknownError', 'Error', 'NotFound'].includes(error.name);
  // HEAD has no body: there a missing code is normal, and the status says it all (translate.ts).
  const unread = error instanceof SyntaxError || (!error.$fault && status !== undefined) || (nameless && !context.operation.startsWith('Head'));
  if (!unread) return undefined;
  const sent = status === undefined || status >= 500 || (status < 300 && !isPage(error)) ? 'maybe' : 'never';
  const facts = { httpStatus: status, sent };
  const title = /<title[^>]*>([^<]{1,120})/i.exec(body ?? '')?.[1]?.trim();
  // Of a page made for people only its title says anything here.
  const said = isPage(error) ? (title ? `"${title}"` : 'a web page') : oneLine(body?.slice(0, 300) ?? error.message ?? error.name ?? '').replace(/ ?Deserialization error: to see the raw response.*$/, '');
  const http = status === undefined ? '' : `HTTP ${status}`;
  if (status === 407) {
    return new RunctlError('endpoint-unreachable', 'a proxy between here and AWS wants a name and a password', { cause: `${http}; runctl cannot give them: it uses no proxy`, hints: ['env | grep -i proxy', reach(context)], data: facts });
  }
  if (status !== undefined && [502, 503, 504].includes(status)) {
    return new RunctlError('endpoint-unreachable', `a gateway before ${context.endpoint ?? context.service} answers that the service is away`, { cause: `${http}${said ? `: ${said}` : ''}; tried several times`, hints: ['sleep 30   # then run the same command again', reach(context), 'runctl doctor'], data: facts });
  }
  if (isPage(error) || (status !== undefined && status >= 300 && status < 400)) {
    return context.endpoint
      ? foreign(context, `it answered ${context.operation} with a web page${title ? ` "${title}"` : ''} (${http})`, facts)
      : new RunctlError('endpoint-foreign', `a web page came instead of an answer of ${context.service}`, { cause: `${http}${title ? `, "${title}"` : ''}: a network that wants a login first, or a proxy that blocks AWS`, hints: [`curl -sSI https://${host(context)}`, 'env | grep -i -e proxy -e AWS_ENDPOINT_URL', 'runctl doctor'], data: facts });
  }
  return foreign(context, `the answer to ${context.operation}${http ? ` (${http})` : ''} could not be read: ${said}`, facts);
}

function foreign(context: Context, cause: string, data: Record<string, unknown>): RunctlError {
  const { endpoint, service } = context;
  return new RunctlError('endpoint-foreign', `what answers at ${endpoint ?? `the endpoint of ${service}`} does not speak ${service}`, {
    cause,
    hints: [
      ...(endpoint && service !== 's3' ? [`unset AWS_ENDPOINT_URL; export AWS_ENDPOINT_URL_S3=${endpoint}   # when it is an object store only`] : []),
      'env | grep -i -e AWS_ENDPOINT_URL -e proxy',
      'unset AWS_ENDPOINT_URL   # to use AWS',
      'runctl doctor',
    ],
    data,
  });
}

const isPage = (error: ForeignError): boolean =>
  /text\/html/i.test(error.$response?.headers?.['content-type'] ?? '') || /^\s*<(!doctype html|html)/i.test(error.$responseBodyText ?? '') || /Unexpected token '<'.*<(!DOCTYPE|html)/i.test(error.message ?? '');

const hostOf = (url: string): string => {
  try {
    return new URL(url).hostname;
  } catch {
    return url;
  }
};

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();
