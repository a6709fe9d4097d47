// Questions that are not answered: who is silent, for how long already, and when it is time to give up. Only the cloud's own
// word makes a machine dead; a silent one may be hard at work. Nothing here starts, ends or repeats a job.
import { durationText } from '../core/durations.ts';
import { RunctlError } from '../core/errors.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider } from '../core/ports.ts';
import type { App } from './app.ts';
import { isGone, machineLost } from './lost.ts';

/** Pauses between two questions while nobody answers: they double up to this. */
const LONGEST_PAUSE_MS = 15_000;
const FIRST_PAUSE_MS = 500;
/** Requests refused because of a wrong clock: the SDK learns the right time from the refusal, so a few more are worth it. */
const CLOCK_TRIES = 3;

export interface Trouble {
  /** `machine`: the cloud says it runs, and it does not answer. `cloud`: the cloud fails or asks for patience. `network`: nobody can be reached from here. */
  who: 'machine' | 'cloud' | 'network';
  /** For how long nothing was heard from the machine, ms. */
  silentMs: number;
  text: string;
}

export interface Listening {
  /** An answer came. Returns the trouble that is over, if there was one. */
  heard(): Trouble | undefined;
  /** None came: throws when that settles the matter, otherwise returns when it is time to ask again. */
  missed(error: unknown): Promise<void>;
  silentMs(): number;
  trouble(): Trouble | undefined;
}

export interface ListeningOptions {
  runId: string;
  onTrouble?: (trouble: Trouble) => void;
}

export function listenTo(app: App, provider: Provider, machine: Machine, options: ListeningOptions): Listening {
  const limitMs = app.config.train.patience_minutes * 60_000;
  let heardAt = app.clock.monotonic();
  let trouble: Trouble | undefined;
  let pauseMs = FIRST_PAUSE_MS;
  let clockTries = 0;
  const silentMs = (): number => app.clock.monotonic() - heardAt;

  return {
    silentMs,
    trouble: () => trouble,
    heard() {
      const over = trouble && { ...trouble, silentMs: silentMs() };
      heardAt = app.clock.monotonic();
      [trouble, pauseMs, clockTries] = [undefined, FIRST_PAUSE_MS, 0];
      return over;
    },
    async missed(error) {
      if (app.signal.aborted || !(error instanceof RunctlError)) throw error;
      const wrongClock = isClockRefusal(error) && ++clockTries <= CLOCK_TRIES;
      if (!error.retryable && !wrongClock && error.code !== 'machine-lost') throw goesOn(error, machine, options.runId);
      let failure = error;
      try {
        const now = await provider.find(machine.id, app.signal);
        if (isGone(now)) throw machineLost(machine, now, options.runId);
      } catch (second) {
        if (app.signal.aborted || !(second instanceof RunctlError) || second.code === 'machine-lost' || second.code === 'lease-ended') throw second;
        if (!second.retryable && !isClockRefusal(second)) throw goesOn(second, machine, options.runId);
        failure = second;
      }
      trouble = { ...describe(failure, failure !== error, machine.id), silentMs: silentMs() };
      options.onTrouble?.(trouble);
      if (trouble.silentMs >= limitMs) throw unreachable(trouble, failure, machine, options.runId);
      await app.clock.sleep(pauseMs, app.signal);
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    },
  };
}

/** `cloudToo`: not even the cloud's word on the machine could be had. */
function describe(error: RunctlError, cloudToo: boolean, id: string): Omit<Trouble, 'silentMs'> {
  if (error.code === 'throttled' || error.data?.['httpStatus'] !== undefined) return { who: 'cloud', text: `${error.message}; ${id} is not asked meanwhile, and its job goes on` };
  if (cloudToo) return { who: 'network', text: `${error.message} from this computer; the job on ${id} needs no connection and goes on` };
  if (error.code === 'endpoint-unreachable') return { who: 'cloud', text: `${error.message}; the cloud says that ${id} runs` };
  return { who: 'machine', text: `${id} runs, says the cloud, but does not answer; what its job does is not known` };
}

function unreachable(trouble: Trouble, error: RunctlError, { id, provider }: Machine, runId: string): RunctlError {
  return new RunctlError('unreachable', `nothing was heard from ${id} for ${durationText(trouble.silentMs)}; ${runId} may still run there`, {
    cause: `${sentence(trouble.text)} ${[error.message, error.reason].filter(Boolean).join(': ')}`,
    hints: comeBack(provider, id, runId),
    data: { machine: id, runId, who: trouble.who, silentS: Math.round(trouble.silentMs / 1000) },
    source: error,
  });
}

/** An error that ends the watching only: credentials that ran out, a permission taken away. */
function goesOn(error: RunctlError, { id, provider }: Machine, runId: string): RunctlError {
  const { code, message, reason, hints, step, data, source } = error;
  return new RunctlError(code, message, {
    cause: [reason, `${runId} on ${id} goes on without this command.`].filter(Boolean).join('\n'),
    hints: [...new Set([...hints, ...comeBack(provider, id, runId)])],
    step, source,
    data: { ...data, machine: id, runId },
  });
}

/** Commands to find out how a job that goes on is doing. */
export function comeBack(provider: string, id: string, runId: string): string[] {
  return [`runctl ${provider} status ${id}`, `runctl ${provider} monitor ${id} --run ${runId} --follow`];
}

/** Whether the same question can have another answer a moment later. */
export function mayPass(error: RunctlError): boolean {
  return error.retryable || isClockRefusal(error);
}

/** This computer's clock was set while we waited, or is wrong: a matter of the next request. */
function isClockRefusal(error: RunctlError): boolean {
  const awsCode = error.data?.['awsCode'];
  return awsCode === 'RequestTimeTooSkewed' || awsCode === 'RequestExpired' || /signature (expired|not yet current)/i.test(String(error.data?.['awsMessage'] ?? ''));
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
