// What a command has set going and would leave behind if it ended now: kept up to date while it works, so that Ctrl-C, and even
// a second one that leaves no time to ask anybody, can say what keeps running, what that costs and how to come back.
import type { Market } from './machine.ts';

export interface Stake {
  provider?: string;
  verb?: string;
  runId?: string;
  machineId?: string;
  /** What the machine costs while it runs, as "$0.0187 an hour". Absent: not known, or not yet. */
  price?: string;
  /** The step under way. */
  step?: string;
  /** Names of steps that ended well. */
  readonly done: Set<string>;
  /** Token of a machine that was asked for while nobody knows yet whether it was made. */
  launchToken?: string;
  /** Of the machine, or of the one that was asked for. A spot machine can be terminated, not stopped. */
  market?: Market;
  /** The machine is gone, or nothing of it is this command's concern any more. */
  settled?: boolean;
  /** It was stopped; what its disk goes on costing, as in `price`. */
  stoppedAt?: string;
  /** Writes down that the command was left. Synchronous: there is no time after it. */
  abandon?(): void;
}

export function newStake(): Stake {
  return { done: new Set() };
}

/** Sentences, and whole commands to come back with. */
export function describeStake(stake: Stake): { facts: string[]; hints: string[] } {
  const { machineId: id, provider, launchToken } = stake;
  if (launchToken !== undefined) {
    return {
      facts: [`It is not known whether a ${stake.market === 'spot' ? 'spot ' : ''}machine was made.`],
      hints: waysToLook(launchToken, stake.market),
    };
  }
  if (id === undefined || provider === undefined || stake.settled) return { facts: [], hints: [] };
  if (stake.stoppedAt !== undefined) return { facts: [`${id} is stopped; its disk costs ${stake.stoppedAt}.`], hints: [`runctl ${provider} start ${id} --wait`, `runctl ${provider} terminate ${id} --wait`] };
  const job = jobFact(stake, id);
  if (provider === 'local') return { facts: job ? [job] : [], hints: stake.runId ? [`runctl runs show ${stake.runId}`] : [] };
  return { facts: [...(job ? [job] : []), machineFact(stake, id)], hints: hintsFor(stake, id, provider) };
}

/** Commands that show what was made for a token of which nobody heard an answer. */
export function waysToLook(token: string, market: Market | undefined): string[] {
  return [
    `aws ec2 describe-instances --filters Name=client-token,Values=${token}`,
    ...(market === 'spot' ? [`aws ec2 describe-spot-instance-requests --filters Name=tag:runctl:token,Values=${token}`] : []),
  ];
}

type JobState = 'none' | 'unknown' | 'running' | 'ending' | 'ended' | 'fetched';

function jobState({ done, step }: Stake): JobState {
  if (done.has('collect') || done.has('rescue')) return 'fetched';
  if (done.has('train') || done.has('stop-job')) return 'ended';
  if (step === 'stop-job') return 'ending';
  if (done.has('launch')) return 'running';
  return step === 'launch' ? 'unknown' : 'none';
}

function jobFact(stake: Stake, id: string): string | undefined {
  const where = stake.provider === 'local' ? 'this computer' : id;
  const run = stake.runId ? ` ${stake.runId}` : '';
  switch (jobState(stake)) {
    case 'running':
      return `The training${run} goes on on ${where}.`;
    case 'unknown':
      return `It is not known whether the training${run} was started on ${where}.`;
    case 'ending':
      return `The training${run} on ${where} was told to end and may still be saving; its results stay there.`;
    case 'ended':
      return `The training${run} has ended; its results are still on ${where}.`;
    case 'fetched':
      return undefined;
    case 'none':
      return stake.verb?.endsWith('train') ? `No training was started on ${where}.` : undefined;
  }
}

function machineFact({ verb, done, step, price }: Stake, id: string): string {
  if (verb === 'train' && !done.has('machine')) return `${id} was not touched.`;
  const costs = price === undefined ? 'its bill goes on' : `costs ${price}`;
  for (const ending of ['stop', 'terminate'] as const) {
    const told = ending === 'stop' ? 'stops' : 'terminates';
    if (done.has(ending)) return `${id} was told to ${ending} and ${told} without this command.`;
    if (step === ending || (verb === ending && step === undefined)) return `${id} may not have been told to ${ending} yet: until then ${price === undefined ? costs : `it ${costs}`}.`;
  }
  if (done.has('start')) return `${id} was told to start and starts without this command; it ${price === undefined ? 'costs money from now on' : costs}.`;
  return price === undefined ? `${id} goes on running, and ${costs}.` : `${id} goes on running and ${costs}.`;
}

function hintsFor(stake: Stake, id: string, provider: string): string[] {
  const runctl = (words: string): string => `runctl ${provider} ${words}`;
  const state = jobState(stake);
  const back = state === 'running' || state === 'unknown' ? [runctl(`training-status ${id}`), runctl(`monitor ${id} --follow`)] : state === 'ended' || state === 'ending' ? [runctl(`monitor ${id}`)] : [runctl(`wait ${id}`)];
  if (stake.verb === 'stop' || stake.verb === 'terminate') return [runctl(`status ${id}`), runctl(`${stake.verb} ${id} --wait`)];
  // A workflow was to clean up behind itself: that comes first, by hand.
  if (stake.verb?.startsWith('workflow')) return [runctl(`terminate ${id} --wait`), ...back];
  return [...back, ...(state === 'none' || stake.market === 'spot' ? [] : [runctl(`stop ${id}`)]), runctl(`terminate ${id} --wait`)];
}
