// This very machine as a provider: one machine called `local`, always running, free, its shell the local sh.
// Not here: sandboxing (the sim does that) and creating anything.
import { RunctlError } from '../../core/errors.ts';
import type { HourlyPrice, Machine } from '../../core/machine.ts';
import type { Provider } from '../../core/ports.ts';
import { createLocalShell } from './local-shell.ts';

const MACHINE: Machine = { id: 'local', provider: 'local', type: 'local', state: 'running', market: 'on-demand', region: 'local', tags: {} };
const FREE: HourlyPrice = { computeMicroUsd: 0, storageMicroUsd: 0, addressMicroUsd: 0, source: 'this machine' };

export function createLocalProvider(options: { base: string; env: Record<string, string | undefined> }): Provider {
  const cannot = (verb: string) => async (): Promise<never> => {
    throw new RunctlError('usage', `this machine cannot be ${verb}`, { hints: ['runctl aws create t3.micro', 'runctl local SCRIPT'] });
  };
  return {
    name: 'local',
    plan: cannot('created'),
    create: cannot('created'),
    rehearse: cannot('created'),
    start: cannot('started'),
    stop: cannot('stopped'),
    terminate: cannot('terminated'),
    checks: async () => [{ name: 'machine', outcome: 'ok', detail: 'this machine' }],
    findByToken: async () => undefined,
    find: async (id) => (id === 'local' ? { ...MACHINE } : undefined),
    list: async () => [{ ...MACHINE }],
    price: async () => FREE,
    readiness: async () => ({ channel: 'local', state: 'online', detail: 'this machine' }),
    shell: async () => createLocalShell(options),
  };
}
