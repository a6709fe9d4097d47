// The one error class and its code table. A code settles exit status, retryability and the documentation anchor;
// the thrower adds what was wrong, why, and whole commands that put it right. Anything else thrown is a bug.
// What a code means at length (`runctl explain`, docs/errors.md) is in error-guide.ts, which nobody loads to start up.

export const EXIT = {
  done: 0,
  user: 1,
  cloud: 2,
  config: 3,
  jobFailed: 4,
  unfinished: 5,
  declined: 6,
  bug: 70,
  interrupted: 130,
} as const;

interface CodeEntry {
  exit: number;
  retryable: boolean;
  meaning: string;
  /** Its section in docs/troubleshooting.md, as the anchor of the heading. */
  trouble?: string;
}

/** Stable error codes. docs/errors.md is generated from this table. */
export const ERROR_CODES = {
  usage: { exit: EXIT.user, retryable: false, meaning: 'The command line is not one that runctl understands.' },
  'not-found': { exit: EXIT.user, retryable: false, meaning: 'The named machine, run or file does not exist.' },
  'wrong-state': { exit: EXIT.user, retryable: false, meaning: 'The machine is in a state in which this cannot be done.', trouble: 'the-machine-is-in-the-wrong-state' },
  'script-missing': { exit: EXIT.user, retryable: false, meaning: 'The training script is not there, or lies outside the project.', trouble: 'the-script-is-not-found-or-a-module-is-missing-on-the-machine' },
  'job-running': { exit: EXIT.user, retryable: false, meaning: 'A training job already runs on the machine.', trouble: 'a-job-already-runs-on-the-machine' },
  'limit-reached': { exit: EXIT.user, retryable: false, meaning: 'More machines than the configured limit would run.', trouble: 'no-capacity-or-a-quota' },
  'credentials-missing': { exit: EXIT.config, retryable: false, meaning: 'No cloud credentials were found.', trouble: 'no-credentials' },
  'credentials-rejected': { exit: EXIT.config, retryable: false, meaning: 'The cloud refused the credentials: wrong, inactive or expired.', trouble: 'credentials-that-aws-refuses' },
  'region-missing': { exit: EXIT.config, retryable: false, meaning: 'No region was given.', trouble: 'no-region' },
  'config-invalid': { exit: EXIT.config, retryable: false, meaning: 'The configuration file or a setting is wrong.' },
  'state-unusable': { exit: EXIT.config, retryable: false, meaning: 'The ledger, where runctl keeps its memory, cannot be opened or written.', trouble: 'the-disk-is-full' },
  'bucket-missing': { exit: EXIT.config, retryable: false, meaning: 'The S3 bucket is not configured or does not exist.', trouble: 'the-bucket' },
  'bucket-forbidden': { exit: EXIT.config, retryable: false, meaning: 'The S3 bucket exists, but these credentials may not use it.', trouble: 'the-bucket' },
  'profile-missing': { exit: EXIT.config, retryable: false, meaning: 'The IAM instance profile does not exist or has no role.', trouble: 'the-ssm-agent-does-not-register' },
  'not-permitted': { exit: EXIT.config, retryable: false, meaning: 'The credentials are valid but lack a permission.', trouble: 'a-permission-is-missing' },
  capacity: { exit: EXIT.cloud, retryable: true, meaning: 'The cloud has no capacity for this type there and now.', trouble: 'no-capacity-or-a-quota' },
  'spot-unavailable': { exit: EXIT.cloud, retryable: true, meaning: 'No spot capacity was found in the time allowed, and nothing else was bought.', trouble: 'no-spot-capacity' },
  quota: { exit: EXIT.cloud, retryable: false, meaning: 'An account quota is used up.', trouble: 'no-capacity-or-a-quota' },
  throttled: { exit: EXIT.cloud, retryable: true, meaning: 'The cloud asks for fewer requests.', trouble: 'aws-asks-for-fewer-requests' },
  'endpoint-unreachable': { exit: EXIT.cloud, retryable: true, meaning: 'The service endpoint cannot be reached.', trouble: 'a-proxy-or-no-way-to-aws' },
  'endpoint-foreign': { exit: EXIT.cloud, retryable: false, meaning: 'What answers at the endpoint does not speak the service.', trouble: 'a-proxy-or-no-way-to-aws' },
  'cloud-refused': { exit: EXIT.cloud, retryable: false, meaning: 'The cloud refused a request.' },
  unreachable: { exit: EXIT.unfinished, retryable: true, meaning: 'Nothing was heard from the machine for long; its job may still run.', trouble: 'the-job-or-its-machine-is-lost' },
  'machine-lost': { exit: EXIT.cloud, retryable: false, meaning: 'The machine went away while it was needed.', trouble: 'the-job-or-its-machine-is-lost' },
  'lease-ended': { exit: EXIT.cloud, retryable: false, meaning: 'The machine ended itself: the cost, the hours or the idle time that it was given were used up.', trouble: 'the-machine-ended-itself' },
  'sync-failed': { exit: EXIT.cloud, retryable: true, meaning: 'The code did not arrive whole on the machine; nothing was started.', trouble: 'ssm-is-available-but-the-code-does-not-arrive' },
  'dependencies-failed': { exit: EXIT.jobFailed, retryable: false, meaning: 'The packages of the project could not be installed on the machine; nothing was started.', trouble: 'the-packages-cannot-be-installed' },
  'transfer-failed': { exit: EXIT.cloud, retryable: true, meaning: 'A file did not come back whole from the machine.', trouble: 'the-results-do-not-come-back' },
  'ssm-not-ready': { exit: EXIT.unfinished, retryable: true, meaning: 'The machine runs, but its SSM agent does not answer yet.', trouble: 'the-ssm-agent-does-not-register' },
  'answer-broken': { exit: EXIT.cloud, retryable: true, meaning: 'What came back from the machine breaks off or is not the answer of the agent.', trouble: 'the-results-do-not-come-back' },
  timeout: { exit: EXIT.unfinished, retryable: true, meaning: 'The time allowed for waiting ran out.', trouble: 'it-takes-too-long' },
  'job-failed': { exit: EXIT.jobFailed, retryable: false, meaning: 'The training script ended with a code other than 0.', trouble: 'the-training-failed' },
  'job-lost': { exit: EXIT.jobFailed, retryable: false, meaning: 'The training process vanished without an exit record.', trouble: 'the-job-or-its-machine-is-lost' },
  'over-budget': { exit: EXIT.declined, retryable: false, meaning: 'A budget or cost limit is used up; nothing was started.', trouble: 'a-budget-is-used-up' },
  protected: { exit: EXIT.user, retryable: false, meaning: 'The machine or disk is tagged as protected, or was not made by runctl.', trouble: 'the-machine-is-protected' },
  declined: { exit: EXIT.declined, retryable: false, meaning: 'A question was answered with no, or nobody was there to answer it.' },
  interrupted: { exit: EXIT.interrupted, retryable: false, meaning: 'Ctrl-C, or a signal, ended the command.' },
  bug: { exit: EXIT.bug, retryable: false, meaning: 'A mistake in runctl itself; details are in a file.', trouble: 'this-is-a-bug-in-runctl' },
  'sim-failed': { exit: EXIT.cloud, retryable: true, meaning: 'The built-in cloud could not be started or stopped.', trouble: 'the-built-in-cloud' },
} as const satisfies Record<string, CodeEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetails {
  /** Why, in one sentence; also what a foreign service said, with its code and request id. */
  cause?: string;
  /** Whole commands or config lines to paste, most useful first. */
  hints?: string[];
  /** The step of the story in which it happened. */
  step?: string;
  /** Extra facts for `--output json` (never secrets). `docs`: a page of whoever refused; `awsCode`: what to explain. */
  data?: Record<string, unknown>;
  /** The original error, for the bug file only. */
  source?: unknown;
}

export class RunctlError extends Error {
  readonly code: ErrorCode;
  readonly reason: string | undefined;
  readonly hints: string[];
  data: Record<string, unknown> | undefined;
  readonly source: unknown;
  step: string | undefined;

  /** `message`: lower case, names the wrong value, no full stop. */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = 'RunctlError';
    this.code = code;
    this.reason = details.cause;
    this.hints = details.hints ?? [];
    this.step = details.step;
    this.data = details.data;
    this.source = details.source;
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }

  /** Where more is written: the page of the service that refused, else our own. */
  get docs(): string {
    const page = this.data?.['docs'];
    return typeof page === 'string' ? page : docsOf(this.code);
  }

  /** What `runctl explain` is to be asked about. It will stand in a command to paste, so nothing but a plain word will do. */
  get topic(): string {
    const awsCode = this.data?.['awsCode'];
    return typeof awsCode === 'string' && /^[A-Za-z][\w.-]{2,80}$/.test(awsCode) ? awsCode : this.code;
  }
}

/** Our own page about a code, as a path from the project's root. */
export function docsOf(code: ErrorCode): string {
  const entry: CodeEntry = ERROR_CODES[code];
  return entry.trouble === undefined ? `docs/errors.md#${code}` : `docs/troubleshooting.md#${entry.trouble}`;
}
