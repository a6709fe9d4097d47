// Does: puts EC2 together: its operations, its network seed, and the life of its instances over restarts.
// Gaps: fleets other than instant ones, Spot Fleet, ModifyVolume, Elastic IPs, VPC changes.
// Source: EC2 API Reference, API version 2016-11-15.
import type { Cloud } from '../../cloud.ts';
import type { QueryService } from '../../wire/call.ts';
import { Interruptions } from '../../market/interruptions.ts';
import { createMarket } from '../../market/market.ts';
import type { Market } from '../../market/market.ts';
import type { MachineHands } from '../../weather/weather.ts';
import { changeStateOperations } from './change-state.ts';
import { describeInstanceOperations } from './describe-instances.ts';
import { fleetOperations } from './fleets.ts';
import { imageOperations } from './images.ts';
import { instanceAttributeOperations } from './instance-attributes.ts';
import { instanceTypeOperations } from './instance-types.ts';
import { keyPairOperations } from './key-pairs.ts';
import { launchTemplateOperations } from './launch-templates.ts';
import { Lifecycle } from './lifecycle.ts';
import { machineHands } from './machine-hands.ts';
import { networkOperations } from './network-operations.ts';
import { seedNetwork } from './network.ts';
import { runInstances } from './run-instances.ts';
import { securityGroupOperations } from './security-groups.ts';
import { spotOperations } from './spot-operations.ts';
import { spotPriceOperations } from './spot-prices.ts';
import { SpotRequests } from './spot-requests.ts';
import { spotScoreOperations } from './spot-scores.ts';
import { snapshotOperations } from './snapshots.ts';
import { tagOperations } from './tags.ts';
import { volumeAttachmentOperations } from './volume-attachments.ts';
import { volumeOperations } from './volumes.ts';

export interface Ec2 {
  service: QueryService;
  /** What the weather may do to instances. */
  hands: MachineHands;
  /** Prices and capacity of spot instances, and their interruptions. */
  market: Market;
  seed(): void;
  /** Take up what a former server left. */
  resume(): Promise<void>;
  /** The world was emptied. */
  forget(): void;
  close(): void;
}

export function createEc2(cloud: Cloud, log: (line: string) => void): Ec2 {
  const lifecycle = new Lifecycle(cloud, log);
  const spot = new SpotRequests(cloud, lifecycle);
  const interruptions = new Interruptions(cloud, lifecycle, spot);
  const market = createMarket(cloud, interruptions, spot);
  return {
    service: {
      protocol: 'ec2',
      name: 'ec2',
      xmlns: 'http://ec2.amazonaws.com/doc/2016-11-15/',
      operations: {
        RunInstances: (params, context) => runInstances(params, context, lifecycle),
        ...describeInstanceOperations,
        ...changeStateOperations(lifecycle, spot),
        ...launchTemplateOperations,
        ...fleetOperations(lifecycle),
        ...spotOperations(spot),
        ...spotPriceOperations,
        ...spotScoreOperations,
        ...instanceAttributeOperations,
        ...instanceTypeOperations,
        ...imageOperations,
        ...networkOperations,
        ...securityGroupOperations,
        ...keyPairOperations,
        ...tagOperations,
        ...volumeOperations,
        ...volumeAttachmentOperations,
        ...snapshotOperations,
      },
    },
    hands: machineHands(cloud, lifecycle, market),
    market,
    seed: () => seedNetwork(cloud.world),
    async resume() {
      await lifecycle.resume();
      interruptions.resume();
      spot.resume();
    },
    forget: () => [lifecycle, interruptions, spot].forEach((part) => part.forget()),
    close: () => [lifecycle, interruptions, spot].forEach((part) => part.close()),
  };
}
