// What SSM's registry says about a machine's agent: cheap, and no proof. Proof is a script whose nonce came back (ssm-shell.ts).
import type { MachineRef } from '../../core/machine.ts';
import type { Readiness } from '../../core/ports.ts';
import type { AwsApi } from './clients.ts';
import { RunctlError } from '../../core/errors.ts';

/** The registry's entry; undefined when the agent never registered. `unknown`: nobody could tell. */
export type AgentPing = { state: 'online' | 'lost'; agentVersion?: string; lastPingAt?: number } | { state: 'unregistered' } | { state: 'unknown'; why: string };

/** Needs the id only, so that it can be asked beside `find`. */
export async function pingAgent(api: AwsApi, id: string, signal?: AbortSignal): Promise<AgentPing> {
  try {
    const answer = await api.ssm('DescribeInstanceInformation', { Filters: [{ Key: 'InstanceIds', Values: [id] }] }, { signal, subject: id });
    const entry = answer.InstanceInformationList?.find((one) => one.InstanceId === id);
    if (!entry) return { state: 'unregistered' };
    return {
      state: entry.PingStatus === 'Online' ? 'online' : 'lost',
      ...(entry.AgentVersion ? { agentVersion: entry.AgentVersion } : {}),
      ...(entry.LastPingDateTime ? { lastPingAt: entry.LastPingDateTime.getTime() } : {}),
    };
  } catch (error) {
    // Readiness explains; it must not be the reason why a status fails. Missing credentials and Ctrl-C still are.
    if (error instanceof RunctlError && ['not-permitted', 'endpoint-foreign', 'throttled', 'cloud-refused', 'ssm-not-ready'].includes(error.code)) {
      return { state: 'unknown', why: error.message };
    }
    throw error;
  }
}

/** Connected, registering and no profile read differently, and each says what it knows. Of a machine whose state is not known yet
 *  the profile is not either: then the caller must look at it. */
export function explainReadiness(machine: MachineRef, ping: AgentPing): Readiness {
  if (machine.state === 'stopped' || machine.state === 'stopping' || machine.state === 'terminated' || machine.state === 'shutting-down') {
    return { channel: machine.profile ? 'ssm' : 'none', state: 'none', detail: `SSM not available: the machine is ${machine.state}` };
  }
  if (ping.state === 'online') return { channel: 'ssm', state: 'online', detail: `SSM connected${machine.profile ? ` (instance profile ${machine.profile})` : ''}` };
  if (ping.state === 'lost') {
    return { channel: 'ssm', state: 'lost', detail: `SSM agent does not answer${ping.lastPingAt ? ` since ${new Date(ping.lastPingAt).toISOString()}` : ''}` };
  }
  if (!machine.profile && machine.state !== undefined) return { channel: 'none', state: 'none', detail: 'SSM not available: the machine has no instance profile' };
  if (ping.state === 'unknown') return { channel: 'ssm', state: 'unknown', detail: `SSM state unknown: ${ping.why}` };
  return { channel: 'ssm', state: 'registering', detail: `SSM agent has not registered yet (${machine.profile ? `instance profile ${machine.profile}; ` : ''}usually 30-90 s after start)` };
}
