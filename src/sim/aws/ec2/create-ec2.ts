// Does: puts EC2 together: its operations, its network seed, and the life of its instances over restarts.
// Gaps: spot instances, fleets, launch templates, CreateVolume and attachments, snapshots, Elastic IPs, VPC changes.
// Source: EC2 API Reference, API version 2016-11-15.
import type { Cloud } from '../../cloud.ts';
import type { QueryService } from '../../wire/call.ts';
import type { MachineHands } from '../../weather/weather.ts';
import { changeStateOperations } from './change-state.ts';
import { describeInstanceOperations } from './describe-instances.ts';
import { imageOperations } from './images.ts';
import { instanceAttributeOperations } from './instance-attributes.ts';
import { instanceTypeOperations } from './instance-types.ts';
import { keyPairOperations } from './key-pairs.ts';
import { Lifecycle } from './lifecycle.ts';
import { machineHands } from './machine-hands.ts';
import { networkOperations } from './network-operations.ts';
import { seedNetwork } from './network.ts';
import { runInstances } from './run-instances.ts';
import { securityGroupOperations } from './security-groups.ts';
import { tagOperations } from './tags.ts';
import { volumeOperations } from './volumes.ts';

export interface Ec2 {
  service: QueryService;
  /** What the weather may do to instances. */
  hands: MachineHands;
  seed(): void;
  /** Take up what a former server left. */
  resume(): Promise<void>;
  /** The world was emptied. */
  forget(): void;
  close(): void;
}

export function createEc2(cloud: Cloud, log: (line: string) => void): Ec2 {
  const lifecycle = new Lifecycle(cloud, log);
  return {
    service: {
      protocol: 'ec2',
      name: 'ec2',
      xmlns: 'http://ec2.amazonaws.com/doc/2016-11-15/',
      operations: {
        RunInstances: (params, context) => runInstances(params, context, lifecycle),
        ...describeInstanceOperations,
        ...changeStateOperations(lifecycle),
        ...instanceAttributeOperations,
        ...instanceTypeOperations,
        ...imageOperations,
        ...networkOperations,
        ...securityGroupOperations,
        ...keyPairOperations,
        ...tagOperations,
        ...volumeOperations,
      },
    },
    hands: machineHands(cloud, lifecycle),
    seed: () => seedNetwork(cloud.world),
    resume: () => lifecycle.resume(),
    forget: () => lifecycle.forget(),
    close: () => lifecycle.close(),
  };
}
