// What may be done to the market from outside the cloud: bodies are checked here, the market itself does the rest.
import { RunctlError } from '../../core/errors.ts';
import type { Market, PoolChange, PoolChoice } from './market.ts';

/** `market` lists pools, `market-set` changes some, `interrupt` takes a machine back. Durations are milliseconds. */
export function marketActions(market: Market): Record<string, (body: unknown) => object> {
  return {
    market: (body) => ({ pools: market.list(choiceOf(fieldsOf(body))) }),
    'market-set': (body) => {
      const fields = fieldsOf(body);
      return { pools: market.set(choiceOf(fields), changeOf(fields)) };
    },
    interrupt: (body) => {
      const { instanceId, reason, noticeMs, rebalanceMs } = fieldsOf(body);
      if (typeof instanceId !== 'string') throw wrong('an interruption needs the id of a machine');
      if (reason !== undefined && reason !== 'capacity' && reason !== 'price') throw wrong(`${JSON.stringify(reason)} is no reason`, 'capacity or price');
      return market.interrupt(instanceId, { reason, noticeMs: duration(noticeMs, 'noticeMs'), rebalanceMs: duration(rebalanceMs, 'rebalanceMs') });
    },
  };
}

function fieldsOf(body: unknown): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw wrong('the fields of an action are a JSON object');
  return body as Record<string, unknown>;
}

function choiceOf(fields: Record<string, unknown>): PoolChoice {
  return { type: text(fields, 'type'), zone: text(fields, 'zone'), region: text(fields, 'region') };
}

function changeOf(fields: Record<string, unknown>): PoolChange {
  return { microUsdPerHour: numberOrNull(fields, 'microUsdPerHour'), capacity: numberOrNull(fields, 'capacity') };
}

function text(fields: Record<string, unknown>, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || typeof value === 'string') return value;
  throw wrong(`${name} must be a text`);
}

function numberOrNull(fields: Record<string, unknown>, name: string): number | null | undefined {
  const value = fields[name];
  if (value === undefined || value === null || typeof value === 'number') return value;
  throw wrong(`${name} must be a number, or null for none`);
}

function duration(value: unknown, name: string): number | undefined {
  if (value === undefined || (typeof value === 'number' && value >= 0)) return value;
  throw wrong(`${name} must be a number of milliseconds`);
}

function wrong(message: string, cause?: string): RunctlError {
  return new RunctlError('usage', message, { cause, hints: ['runctl sim market --help', 'runctl sim interrupt --help'] });
}
