// A story: one durable operation made of named steps. Each step is timed, told and recorded; each effect on the
// outside world has its intent on disk before it happens and its outcome after, so that a crash at any point can be picked up.
import { RunctlError } from '../core/errors.ts';
import type { App } from './app.ts';
import { interruption } from './interrupt.ts';
import { explainEnd, explainLoss } from './loss.ts';
import { type Say, startTicker } from './ticker.ts';


export type { Say } from './ticker.ts';

export interface Effect<T> {
  /** What is done, for the ledger: `ec2.run-instances`, `agent.launch`. */
  kind: string;
  /** What would be needed to do it again; no secrets. */
  request: unknown;
  /** What an earlier, interrupted try with this token made, if anything. */
  look(token: string): Promise<T | undefined>;
  act(token: string): Promise<T>;
  /** Id of what was made. */
  resource(outcome: T): string;
  /** After a failure that proves nothing (lost reply, Ctrl-C in mid-call): undo what was made all the same. True when it is certain that nothing is left. */
  undo?(token: string): Promise<boolean>;
}

export interface Story {
  readonly runId: string;
  step<T>(name: string, label: string, action: (say: Say) => Promise<T>, detail?: (value: T) => string | undefined, isBad?: (value: T) => boolean): Promise<T>;
  effect<T>(step: string, effect: Effect<T>): Promise<T>;
  setMachine(machineId: string, provider: string): void;
}

export interface StoryRequest {
  runId: string;
  verb: string;
  request: unknown;
  project?: string;
}

/** Tell a story from beginning to end: its outcome, good or bad, is in the ledger when this settles. */
export async function tell<T>(app: App, request: StoryRequest, body: (story: Story) => Promise<T>): Promise<T> {
  const ledger = await app.ledger();
  ledger.beginRun({ id: request.runId, verb: request.verb, request: request.request, project: request.project, nowMs: app.clock.now() });
  app.report({ kind: 'run.started', runId: request.runId, verb: request.verb });
  const { stake } = app;
  if (stake) {
    Object.assign(stake, { runId: request.runId, verb: request.verb });
    stake.abandon = () => ledger.endRun(request.runId, 'interrupted', { code: 'interrupted', message: 'left by a second Ctrl-C' }, app.clock.now());
  }
  const story: Story = {
    runId: request.runId,
    setMachine: (machineId, provider) => {
      if (stake) Object.assign(stake, { machineId, provider });
      ledger.setMachine(request.runId, machineId, provider);
    },
    step: async (name, label, action, detail, isBad) => {
      const attempt = ledger.startStep(request.runId, name, app.clock.now());
      if (stake) stake.step = name;
      app.report({ kind: 'step.started', step: name, label });
      const ticker = startTicker(app, name, label);
      try {
        const value = await action(ticker.say);
        ledger.finishStep(request.runId, name, attempt, value, app.clock.now());
        stake?.done.add(name);
        ticker.stop();
        app.report({ kind: 'step.done', step: name, label, elapsedMs: ticker.elapsedMs(), detail: detail?.(value), ...(isBad?.(value) ? { bad: true } : {}) });
        return value;
      } catch (thrown) {
        ticker.stop();
        const error = await explainLoss(app, ledger, request.runId, label, thrown);
        const message = error instanceof Error ? error.message : String(error);
        afterwards(app, () => ledger.failStep(request.runId, name, attempt, { message, code: error instanceof RunctlError ? error.code : 'bug' }, app.clock.now()));
        app.report({ kind: 'step.failed', step: name, label, elapsedMs: ticker.elapsedMs(), message });
        if (error instanceof RunctlError) error.step ??= label;
        throw error;
      }
    },
    effect: async (step, effect) => {
      const { token, attempt, known } = ledger.intend({ runId: request.runId, step, kind: effect.kind, request: effect.request, nowMs: app.clock.now() });
      try {
        const outcome = (known ? await effect.look(token) : undefined) ?? (await effect.act(token));
        ledger.settle({ runId: request.runId, step, attempt, state: 'done', resourceId: effect.resource(outcome), outcome, nowMs: app.clock.now() });
        return outcome;
      } catch (error) {
        // Only a refusal proves that nothing was made; after a lost reply the intent stays open and is looked for first.
        if (isRefusal(error)) {
          const { code, message } = error;
          afterwards(app, () => ledger.settle({ runId: request.runId, step, attempt, state: 'failed', outcome: { code, message }, nowMs: app.clock.now() }));
        } else if (effect.undo && (await effect.undo(token))) {
          afterwards(app, () => ledger.settle({ runId: request.runId, step, attempt, state: 'abandoned', nowMs: app.clock.now() }));
        }
        throw error;
      }
    },
  };
  try {
    const value = await body(story);
    ledger.endRun(request.runId, 'succeeded', value, app.clock.now());
    return value;
  } catch (error) {
    const interrupted = app.signal.aborted;
    const failure = { code: error instanceof RunctlError ? error.code : 'bug', message: error instanceof Error ? error.message : String(error) };
    afterwards(app, () => ledger.endRun(request.runId, interrupted ? 'interrupted' : 'failed', failure, app.clock.now()));
    throw interruption(app, explainEnd(ledger, request.runId, error));
  }
}

/** Errors after which nobody can say whether the effect happened. */
const UNCERTAIN = new Set<string>(['endpoint-unreachable', 'endpoint-foreign', 'timeout', 'interrupted', 'state-unusable', 'answer-broken']);

/** The other side said no, or was never asked: nothing has happened. */
export function isRefusal(error: unknown): error is RunctlError {
  if (!(error instanceof RunctlError)) return false;
  const sent = error.data?.['sent'];
  return sent === 'never' || (sent !== 'maybe' && !UNCERTAIN.has(error.code));
}

/** Writing down a failure: when that fails too (a full disk), the first error is still the one to tell. */
function afterwards(app: App, write: () => void): void {
  try {
    write();
  } catch (error) {
    app.report({ kind: 'note', level: 'warning', text: `not recorded: ${error instanceof Error ? error.message : String(error)}` });
  }
}
