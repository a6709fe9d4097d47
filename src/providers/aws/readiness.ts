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
 *  the profile is not either: then the caller must look at it. `lateMs`: how long an agent has been awaited that should be there,
 *  `fault`: what is wrong with its profile. */
export function explainReadiness(machine: MachineRef, ping: AgentPing, { lateMs, fault }: { lateMs?: number; fault?: string } = {}): Readiness {
  if (machine.state === 'stopped' || machine.state === 'stopping' || machine.state === 'terminated' || machine.state === 'shutting-down') {
    return { channel: machine.profile ? 'ssm' : 'none', state: 'none', detail: `SSM not available: the machine is ${machine.state}` };
  }
  if (ping.state === 'online') return { channel: 'ssm', state: 'online', detail: `SSM connected${machine.profile ? ` (instance profile ${machine.profile})` : ''}` };
  if (ping.state === 'lost') {
    return { channel: 'ssm', state: 'lost', detail: `SSM agent does not answer${ping.lastPingAt ? ` since ${new Date(ping.lastPingAt).toISOString()}` : ''}` };
  }
  if (!machine.profile && machine.state !== undefined) return { channel: 'none', state: 'none', detail: 'SSM not available: the machine has no instance profile' };
  if (ping.state === 'unknown') return { channel: 'ssm', state: 'unknown', detail: `SSM state unknown: ${ping.why}` };
  if (lateMs !== undefined) {
    return { channel: 'ssm', state: 'registering', detail: `SSM agent has not registered in ${Math.floor(lateMs / 60_000)} min: ${fault ?? 'perhaps the machine has no way to SSM (a subnet without internet access or VPC endpoints), or its image has no agent'}` };
  }
  return { channel: 'ssm', state: 'registering', detail: `SSM agent has not registered yet (${machine.profile ? `instance profile ${machine.profile}; ` : ''}usually 30-90 s after start)` };
}

/** Agents register within a minute or two of the start; after this something keeps them from it. */
const LATE_AFTER_MS = 180_000;

/** Whoever waits for an agent asks again and again; what IAM says does not change as fast. */
const PROFILE_KNOWN_MS = 60_000;

export type ExplainDelay = (machine: MachineRef, ping: AgentPing, signal?: AbortSignal) => Promise<{ lateMs?: number; fault?: string }>;

/** How long the agent is overdue, and what of its profile would explain it: asked for only then. */
export function createExplainDelay(api: AwsApi): ExplainDelay {
  const known = new Map<string, { at: number; fault?: string }>();

  async function faultOf(profile: string, signal?: AbortSignal): Promise<string | undefined> {
    const { checkProfile } = await import('./profile.ts');
    try {
      await checkProfile(api, profile, signal);
      return undefined;
    } catch (error) {
      if (!(error instanceof RunctlError) || error.code === 'interrupted') throw error;
      return error.code === 'profile-missing' ? error.message : undefined;
    }
  }

  return async (machine, ping, signal) => {
    const { profile } = machine;
    const now = api.clock.now();
    const lateMs = now - (machine.launchedAt ?? Infinity);
    if (ping.state !== 'unregistered' || machine.state !== 'running' || !profile || lateMs < LATE_AFTER_MS) return {};
    let answer = known.get(profile);
    if (!answer || now - answer.at > PROFILE_KNOWN_MS) {
      answer = { at: now, fault: await faultOf(profile, signal) };
      known.set(profile, answer);
    }
    return { lateMs, fault: answer.fault };
  };
}
