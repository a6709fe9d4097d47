// What a machine is to runctl, whoever rents it out.
import type { MicroUsd } from './money.ts';

/** The states every provider maps its own onto; EC2's six names, since they are the best known. */
export type MachineState = 'pending' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated';

export type Market = 'on-demand' | 'spot';

export interface Machine {
  id: string;
  provider: string;
  type: string;
  state: MachineState;
  /** Why the machine left `running`, in the provider's words, when it says so. */
  stateReason?: string;
  market: Market;
  region: string;
  zone?: string;
  publicIp?: string;
  privateIp?: string;
  /** Epoch ms of the latest launch or start. */
  launchedAt?: number;
  /** Epoch ms of the first launch, where the provider tells it. */
  firstLaunchedAt?: number;
  /** Epoch ms at which it left `running`, when the provider says so. */
  endedAt?: number;
  /** Taken back by the provider, not ended by a person: another one may be bought in its place. */
  interrupted?: boolean;
  /** It powered itself off: its lease was over, or somebody on it said so. */
  selfEnded?: boolean;
  /** The market's own record of a spot machine. */
  spotRequestId?: string;
  image?: string;
  /** Instance profile name: whether SSM can work at all. */
  profile?: string;
  keyName?: string;
  tags: Record<string, string>;
}

/** A machine of which perhaps only the id is known yet. */
export type MachineRef = Pick<Machine, 'id'> & Partial<Machine>;

/** What the caller wants; whatever is absent the provider chooses and reports in the plan. */
export interface MachineRequest {
  type: string;
  image?: string;
  profile?: string;
  keyName?: string;
  securityGroup?: string;
  subnet?: string;
  zone?: string;
  rootVolumeGb?: number;
  /** Absent: on-demand. */
  market?: Market;
  /** Most to pay for compute of a spot machine, micro-dollars per hour. Absent: the on-demand price. */
  maxPriceMicroUsd?: MicroUsd;
  tags: Record<string, string>;
}

/** One place in which machines of one type are sold in one market. */
export interface Pool {
  type: string;
  zone: string;
  market: Market;
  /** Compute now, micro-dollars per hour. Undefined: nobody could tell. */
  microUsdPerHour?: MicroUsd;
  /** The same type on demand. */
  onDemandMicroUsdPerHour?: MicroUsd;
  /** How likely capacity is, 1 to 10, where the provider tells. */
  score?: number;
  /** Pools with the same word share one quota of the account. Absent: those whose types begin with the same letters do. */
  quota?: string;
}

/** Every choice made, nothing created yet. `detail` is the provider's own, opaque to the engine. */
export interface MachinePlan {
  type: string;
  market: Market;
  region: string;
  zone?: string;
  image: { id: string; name: string; architecture: string; rootDevice: string };
  profile?: string;
  keyName?: string;
  subnet: string;
  /** Existing group id, or undefined when `create` will make runctl's own group (no inbound rule). */
  securityGroup?: string;
  rootVolumeGb: number;
  /** Only of spot machines. */
  maxPriceMicroUsd?: MicroUsd;
  /** Runs as root at every boot: what bounds the machine without any agent (agent/). Absent: nothing. */
  bootScript?: string;
  /** What a power-off from inside does. Absent: stop. */
  shutdown?: 'stop' | 'terminate';
  price: HourlyPrice;
  tags: Record<string, string>;
  detail: unknown;
}

/** Price of keeping the machine for an hour, split so that a stopped machine's share is visible. */
export interface HourlyPrice {
  /** Compute while running, micro-dollars per hour. Undefined when nobody could tell. */
  computeMicroUsd?: MicroUsd;
  /** Disk while it exists, running or stopped, micro-dollars per hour (rounded up). */
  storageMicroUsd: MicroUsd;
  /** Public IPv4 while running, micro-dollars per hour. */
  addressMicroUsd: MicroUsd;
  /** The disk as it is billed, without the rounding of `storageMicroUsd`. */
  storage?: { gb: number; microUsdPerGbMonth: MicroUsd };
  /** Compute on demand, micro-dollars per hour, where this price is another one (spot). */
  onDemandMicroUsd?: MicroUsd;
  /** Where the compute price came from, with its date: "AWS Price List API 2026-08-17", "built-in table 2026-08-17". */
  source: string;
}

/** Total per hour while running; undefined when the compute price is unknown. */
export function runningMicroUsdPerHour(price: HourlyPrice): MicroUsd | undefined {
  return price.computeMicroUsd === undefined
    ? undefined
    : price.computeMicroUsd + price.storageMicroUsd + price.addressMicroUsd;
}

/** The total with another price for compute: disk and address cost the same in both markets. */
export function hourlyWith(price: HourlyPrice, computeMicroUsd: MicroUsd | undefined): MicroUsd | undefined {
  return runningMicroUsdPerHour({ ...price, computeMicroUsd });
}
