// Does: which instances have a registered agent, and whether it answers; DescribeInstanceInformation.
// Gaps: a profile added to a running instance counts at once (the real agent may need half an hour); no hybrid activations,
// no associations. By design: a lost agent shows as Online for five minutes after it was last seen, as pings are that far apart.
// Source: SSM API Reference, DescribeInstanceInformation; SSM User Guide "Working with SSM Agent" (ping every five minutes).
import type { Cloud } from '../../cloud.ts';
import { findImage, type ImageFact } from '../../data/images.ts';
import { AwsFault, type CallContext } from '../../wire/call.ts';
import { ec2Tables, type InstanceRow } from '../ec2/rows.ts';
import { roleOf } from '../imds/role-credentials.ts';
import { constraint, page, structures, texts } from './fields.ts';

const PING_EVERY_MS = 5 * 60_000;
const AGENT_VERSION = '3.3.2958.0';
const FILTER_KEYS = ['InstanceIds', 'AgentVersion', 'PingStatus', 'PlatformTypes', 'ActivationIds', 'IamRole', 'ResourceType', 'AssociationStatus'];

export interface Agent {
  row: InstanceRow;
  registeredAt: number;
  /** Whether the agent really answers now; the service itself may not know yet. */
  alive: boolean;
  pingStatus: 'Online' | 'ConnectionLost';
  lastPingAt: number;
  role: string;
}

export class Agents {
  readonly #cloud: Cloud;
  /** World time at which each agent was last known to answer. Lost with the server: then the next look counts. */
  readonly #seen = new Map<string, number>();

  constructor(cloud: Cloud) {
    this.#cloud = cloud;
  }

  find(instanceId: string): Agent | undefined {
    const row = ec2Tables(this.#cloud.world).instances.get(instanceId);
    return row && this.#agent(row);
  }

  list(region: string): Agent[] {
    return ec2Tables(this.#cloud.world)
      .instances.values()
      .filter((row) => row.region === region)
      .flatMap((row) => this.#agent(row) ?? []);
  }

  #agent(row: InstanceRow): Agent | undefined {
    const { clock, dial, machines, weather } = this.#cloud;
    const now = clock.now();
    const role = row.state === 'running' && row.runningSince !== undefined ? roleOf(this.#cloud.world, row) : undefined;
    const image = findImage(row.imageId, row.region);
    const registeredAt = (row.runningSince ?? 0) + dial.ssmOnlineMs + weather.agentDelayMs(row.instanceId);
    const silentSince = weather.agentSilentSince(row.instanceId);
    if (!role || (image && !image.ssmAgent) || now < registeredAt || (silentSince !== undefined && silentSince <= registeredAt)) {
      this.#seen.delete(row.instanceId);
      return undefined;
    }
    const alive = silentSince === undefined && machines.isUp(row.instanceId);
    if (alive) this.#seen.set(row.instanceId, now);
    const lastPingAt = this.#seen.get(row.instanceId) ?? silentSince ?? registeredAt;
    return { row, registeredAt, alive, lastPingAt, role: role.name, pingStatus: alive || now - lastPingAt < PING_EVERY_MS ? 'Online' : 'ConnectionLost' };
  }

  describe(body: Record<string, unknown>, context: CallContext): unknown {
    const wanted = filters(body);
    const agents = this.list(context.region).filter((agent) => wanted.every(({ key, values }) => matches(agent, key, values)));
    const { items, ...rest } = page(agents, body, { min: 5, max: 50, preset: 10 });
    return { InstanceInformationList: items.map(render), ...rest };
  }
}

function platform(image: ImageFact | undefined): { name: string; version: string } {
  const ubuntu = /ubuntu.*?(\d\d\.\d\d)/i.exec(image?.name ?? '');
  return ubuntu ? { name: 'Ubuntu', version: ubuntu[1] ?? '' } : { name: 'Amazon Linux', version: '2023' };
}

export function platformOf(row: InstanceRow): { name: string; version: string } {
  return platform(findImage(row.imageId, row.region));
}

function render({ row, registeredAt, pingStatus, lastPingAt }: Agent): unknown {
  const { name, version } = platformOf(row);
  return {
    InstanceId: row.instanceId,
    PingStatus: pingStatus,
    LastPingDateTime: lastPingAt / 1000,
    AgentVersion: AGENT_VERSION,
    IsLatestVersion: true,
    PlatformType: 'Linux',
    PlatformName: name,
    PlatformVersion: version,
    ResourceType: 'EC2Instance',
    IPAddress: row.privateIp,
    ComputerName: `${row.hostname}.${row.region === 'us-east-1' ? 'ec2' : `${row.region}.compute`}.internal`,
    RegistrationDate: registeredAt / 1000,
    SourceId: row.instanceId,
    SourceType: 'AWS::EC2::Instance',
  };
}

function filters(body: Record<string, unknown>): { key: string; values: string[] }[] {
  const modern = structures(body, 'Filters', 10) ?? [];
  const legacy = structures(body, 'InstanceInformationFilterList', 10) ?? [];
  if (modern.length > 0 && legacy.length > 0) throw new AwsFault('InvalidFilterKey', 'Use either Filters or InstanceInformationFilterList, not both.');
  const read = (item: Record<string, unknown>, keyName: string, valuesName: string): { key: string; values: string[] } => {
    const key = item[keyName];
    if (typeof key !== 'string' || !(FILTER_KEYS.includes(key) || (valuesName === 'Values' && key.startsWith('tag')))) {
      throw new AwsFault('InvalidFilterKey', `The specified filter key is not valid: ${String(key)}. Valid keys: ${FILTER_KEYS.join(', ')}.`);
    }
    const values = texts(item, valuesName, { min: 1, max: 100 });
    if (!values) throw constraint(undefined, valuesName, 'Member must not be null');
    if (key === 'InstanceIds') {
      const bad = values.find((value) => !/^(i-(\w{8}|\w{17})|mi-\w{17})$/.test(value));
      if (bad !== undefined) throw new AwsFault('InvalidInstanceInformationFilterValue', `The filter value isn't valid: ${bad}`);
    }
    return { key, values };
  };
  return [...modern.map((item) => read(item, 'Key', 'Values')), ...legacy.map((item) => read(item, 'key', 'valueSet'))];
}

function matches(agent: Agent, key: string, values: string[]): boolean {
  const tag = /^tag:(.+)$/.exec(key)?.[1];
  if (tag !== undefined) return agent.row.tags[tag] !== undefined && values.includes(agent.row.tags[tag]);
  const actual: Record<string, string> = {
    InstanceIds: agent.row.instanceId,
    AgentVersion: AGENT_VERSION,
    PingStatus: agent.pingStatus,
    PlatformTypes: 'Linux',
    IamRole: agent.role,
    ResourceType: 'EC2Instance',
    'tag-key': Object.keys(agent.row.tags).find((name) => values.includes(name)) ?? '',
  };
  return actual[key] !== undefined && values.includes(actual[key]);
}
