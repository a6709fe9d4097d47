// The one error class and its code table. A code settles exit status, retryability and the documentation anchor;
// the thrower adds what was wrong, why, and whole commands that put it right. Anything else thrown is a bug.

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
}

/** Stable error codes. docs/errors.md is generated from this table. */
export const ERROR_CODES = {
  usage: { exit: EXIT.user, retryable: false, meaning: 'The command line is not one that runctl understands.' },
  'not-found': { exit: EXIT.user, retryable: false, meaning: 'The named machine, run or file does not exist.' },
  'wrong-state': { exit: EXIT.user, retryable: false, meaning: 'The machine is in a state in which this cannot be done.' },
  'script-missing': { exit: EXIT.user, retryable: false, meaning: 'The training script is not there, or lies outside the project.' },
  'job-running': { exit: EXIT.user, retryable: false, meaning: 'A training job already runs on the machine.' },
  'limit-reached': { exit: EXIT.user, retryable: false, meaning: 'More machines than the configured limit would run.' },
  'credentials-missing': { exit: EXIT.config, retryable: false, meaning: 'No cloud credentials were found.' },
  'credentials-rejected': { exit: EXIT.config, retryable: false, meaning: 'The cloud refused the credentials: wrong, inactive or expired.' },
  'region-missing': { exit: EXIT.config, retryable: false, meaning: 'No region was given.' },
  'config-invalid': { exit: EXIT.config, retryable: false, meaning: 'The configuration file or a setting is wrong.' },
  'state-unusable': { exit: EXIT.config, retryable: false, meaning: 'The ledger, where runctl keeps its memory, cannot be opened or written.' },
  'bucket-missing': { exit: EXIT.config, retryable: false, meaning: 'The S3 bucket is not configured or does not exist.' },
  'bucket-forbidden': { exit: EXIT.config, retryable: false, meaning: 'The S3 bucket exists, but these credentials may not use it.' },
  'profile-missing': { exit: EXIT.config, retryable: false, meaning: 'The IAM instance profile does not exist or has no role.' },
  'not-permitted': { exit: EXIT.config, retryable: false, meaning: 'The credentials are valid but lack a permission.' },
  capacity: { exit: EXIT.cloud, retryable: true, meaning: 'The cloud has no capacity for this type there and now.' },
  quota: { exit: EXIT.cloud, retryable: false, meaning: 'An account quota is used up.' },
  throttled: { exit: EXIT.cloud, retryable: true, meaning: 'The cloud asks for fewer requests.' },
  'endpoint-unreachable': { exit: EXIT.cloud, retryable: true, meaning: 'The service endpoint cannot be reached.' },
  'endpoint-foreign': { exit: EXIT.cloud, retryable: false, meaning: 'What answers at the endpoint does not speak the service.' },
  'cloud-refused': { exit: EXIT.cloud, retryable: false, meaning: 'The cloud refused a request.' },
  'machine-lost': { exit: EXIT.cloud, retryable: false, meaning: 'The machine went away while it was needed.' },
  'sync-failed': { exit: EXIT.cloud, retryable: true, meaning: 'The code did not arrive whole on the machine; nothing was started.' },
  'transfer-failed': { exit: EXIT.cloud, retryable: true, meaning: 'A file did not come back whole from the machine.' },
  'ssm-not-ready': { exit: EXIT.unfinished, retryable: true, meaning: 'The machine runs, but its SSM agent does not answer yet.' },
  'answer-broken': { exit: EXIT.cloud, retryable: true, meaning: 'What came back from the machine breaks off or is not the answer of the agent.' },
  timeout: { exit: EXIT.unfinished, retryable: true, meaning: 'The time allowed for waiting ran out.' },
  'job-failed': { exit: EXIT.jobFailed, retryable: false, meaning: 'The training script ended with a code other than 0.' },
  'job-lost': { exit: EXIT.jobFailed, retryable: false, meaning: 'The training process vanished without an exit record.' },
  declined: { exit: EXIT.declined, retryable: false, meaning: 'A question was answered with no, or nobody was there to answer it.' },
  interrupted: { exit: EXIT.interrupted, retryable: false, meaning: 'Ctrl-C, or a signal, ended the command.' },
  bug: { exit: EXIT.bug, retryable: false, meaning: 'A mistake in runctl itself; details are in a file.' },
  'sim-failed': { exit: EXIT.cloud, retryable: true, meaning: 'The built-in cloud could not be started or stopped.' },
} as const satisfies Record<string, CodeEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetails {
  /** Why, in one sentence; also what a foreign service said, with its code and request id. */
  cause?: string;
  /** Whole commands or config lines to paste, most useful first. */
  hints?: string[];
  /** The step of the story in which it happened. */
  step?: string;
  /** Extra facts for `--output json` (never secrets). */
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
}
