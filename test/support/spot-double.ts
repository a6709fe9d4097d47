// Answers of a scripted AWS about the spot market, beside those of aws-double.ts.
import { allIsWell, awsDouble, typeReply, zonesReply } from './aws-double.ts';
import type { AwsDouble } from './aws-double.ts';
import { ec2Error, ec2Xml } from './wire-double.ts';
import type { WireReply } from './wire-double.ts';

/** `[type, zone, USD per hour, time of the change]`. */
export type PriceRow = [type: string, zone: string, usd: string, since?: string];

export const pricesReply = (...rows: PriceRow[]): WireReply =>
  ec2Xml('DescribeSpotPriceHistory', `<spotPriceHistorySet>${rows.map(([type, zone, usd, since = '2026-01-01T00:00:00.000Z']) => `<item><instanceType>${type}</instanceType><productDescription>Linux/UNIX</productDescription><spotPrice>${usd}</spotPrice><timestamp>${since}</timestamp><availabilityZone>${zone}</availabilityZone></item>`).join('')}</spotPriceHistorySet>`);

export const scoresReply = (...rows: [zoneId: string, score: number][]): WireReply =>
  ec2Xml('GetSpotPlacementScores', `<spotPlacementScoreSet>${rows.map(([id, score]) => `<item><region>us-east-1</region><availabilityZoneId>${id}</availabilityZoneId><score>${score}</score></item>`).join('')}</spotPlacementScoreSet>`);

export interface RequestFacts {
  id?: string;
  state?: string;
  code?: string;
  message?: string;
  instanceId?: string;
  tags?: Record<string, string>;
}

export const requestsReply = (...all: RequestFacts[]): WireReply =>
  ec2Xml('DescribeSpotInstanceRequests', `<spotInstanceRequestSet>${all.map(({ id = 'sir-1', state = 'open', code = 'capacity-not-available', message = 'There is no capacity.', instanceId, tags = {} }) => `<item><spotInstanceRequestId>${id}</spotInstanceRequestId><state>${state}</state><status><code>${code}</code><message>${message}</message><updateTime>2026-01-01T00:00:00Z</updateTime></status>${instanceId ? `<instanceId>${instanceId}</instanceId>` : ''}<tagSet>${Object.entries(tags).map(([key, value]) => `<item><key>${key}</key><value>${value}</value></item>`).join('')}</tagSet></item>`).join('')}</spotInstanceRequestSet>`);

export const subnetsReply = (...all: [id: string, zone: string, zoneId: string, free?: number][]): WireReply =>
  ec2Xml('DescribeSubnets', `<subnetSet>${all.map(([id, zone, zoneId, free = 100]) => `<item><subnetId>${id}</subnetId><vpcId>vpc-1</vpcId><availabilityZone>${zone}</availabilityZone><availabilityZoneId>${zoneId}</availabilityZoneId><availableIpAddressCount>${free}</availableIpAddressCount><mapPublicIpOnLaunch>true</mapPublicIpOnLaunch><defaultForAz>true</defaultForAz></item>`).join('')}</subnetSet>`);

export const usage = (...classes: string[]): string => `<supportedUsageClasses>${classes.map((one) => `<item>${one}</item>`).join('')}</supportedUsageClasses>`;

/** An account in which t3.micro is sold as spot in us-east-1b (dear) and us-east-1c (cheap), offered in no other zone, and scores are not told. */
export async function spotDouble(options: Parameters<typeof awsDouble>[0] = {}): Promise<AwsDouble> {
  const double = await awsDouble(options);
  const { wire } = double;
  allIsWell(wire);
  wire.on('DescribeInstanceTypes', typeReply('t3.micro', usage('on-demand', 'spot')));
  wire.on('DescribeInstanceTypeOfferings', zonesReply('us-east-1b', 'us-east-1c'));
  wire.on('DescribeSubnets', subnetsReply(['subnet-a', 'us-east-1a', 'use1-az6'], ['subnet-b', 'us-east-1b', 'use1-az1'], ['subnet-c', 'us-east-1c', 'use1-az4']));
  wire.on('DescribeSpotPriceHistory', pricesReply(['t3.micro', 'us-east-1b', '0.005000'], ['t3.micro', 'us-east-1c', '0.004100'], ['t3.micro', 'us-east-1a', '0.001000']));
  wire.on('GetSpotPlacementScores', ec2Error('UnauthorizedOperation', 'You are not authorized to perform this operation.', 403));
  wire.on('DescribeSpotInstanceRequests', requestsReply());
  wire.on('CancelSpotInstanceRequests', ec2Xml('CancelSpotInstanceRequests', '<spotInstanceRequestSet/>'));
  return double;
}
