// Does: what an instance can read about itself, as a flat list of paths; directories follow from it.
// Gaps: network/interfaces, block-device-mapping, public-keys, services.
// By design: values are read from the world at each request, as the real service shows a changed role or tag at once.
// What is said of an interruption is found out from its times, so a notice is there from its second on.
// Source: EC2 User Guide "Spot Instance interruption notices", "EC2 instance rebalance recommendations", "Instance metadata categories", "Instance identity documents"; amazon-ec2-metadata-mock v1.13.0 (shapes).
import type { InstanceRow } from '../ec2/rows.ts';
import { type MetadataWorld, isoSeconds, roleDocument, roleOf } from './role-credentials.ts';

/** All that the metadata service needs; it exists before the machines do. */
/** Path below /latest/ to text. A function is asked only when its path is. */
export type Metadata = Map<string, string | (() => string)>;

export function metadataOf(cloud: MetadataWorld, row: InstanceRow): Metadata {
  const dnsName = `${row.hostname}.${row.region === 'us-east-1' ? 'ec2' : `${row.region}.compute`}.internal`;
  const entries: Metadata = new Map<string, string | (() => string)>([
    ['dynamic/instance-identity/document', () => identityDocument(cloud, row)],
    ['meta-data/ami-id', row.imageId],
    ['meta-data/ami-launch-index', String(row.launchIndex)],
    ['meta-data/events/maintenance/history', '[]'],
    ['meta-data/events/maintenance/scheduled', '[]'],
    ['meta-data/hostname', dnsName],
    ['meta-data/instance-action', row.state === 'running' ? 'none' : 'shutdown'],
    ['meta-data/instance-id', row.instanceId],
    ['meta-data/instance-life-cycle', row.spot ? 'spot' : 'on-demand'],
    ['meta-data/instance-type', row.type],
    ['meta-data/local-hostname', dnsName],
    ['meta-data/local-ipv4', row.privateIp],
    ['meta-data/mac', row.macAddress],
    ['meta-data/placement/availability-zone', row.zone],
    ['meta-data/placement/availability-zone-id', row.zoneId],
    ['meta-data/placement/region', row.region],
    ['meta-data/reservation-id', row.reservationId],
  ]);
  for (const [path, text] of notices(row, cloud.clock.now())) entries.set(path, text);
  if (row.publicIp !== undefined) {
    entries.set('meta-data/public-ipv4', row.publicIp);
    entries.set('meta-data/public-hostname', `ec2-${row.publicIp.replaceAll('.', '-')}.${row.region === 'us-east-1' ? 'compute-1' : `${row.region}.compute`}.amazonaws.com`);
  }
  if (row.profile !== undefined) {
    const { arn, id } = row.profile;
    entries.set('meta-data/iam/info', () => JSON.stringify({ Code: 'Success', LastUpdated: isoSeconds(cloud.clock.now()), InstanceProfileArn: arn, InstanceProfileId: id }, null, 2));
    const role = roleOf(cloud.world, row);
    if (role) entries.set(`meta-data/iam/security-credentials/${role.name}`, () => roleDocument(cloud, row, role));
  }
  if (row.metadata.instanceMetadataTags === 'enabled') {
    for (const [name, value] of Object.entries(row.tags)) entries.set(`meta-data/tags/instance/${name}`, value);
  }
  if (row.userData !== undefined) entries.set('user-data', row.userData);
  return entries;
}

function notices({ interruption }: InstanceRow, now: number): [string, string][] {
  if (!interruption) return [];
  const { action, rebalanceAt, noticeAt, endAt } = interruption;
  const found: [string, string][] = [];
  if (rebalanceAt !== undefined && now >= rebalanceAt) found.push(['meta-data/events/recommendations/rebalance', JSON.stringify({ noticeTime: isoSeconds(rebalanceAt) })]);
  if (now >= noticeAt) {
    found.push(['meta-data/spot/instance-action', JSON.stringify({ action, time: isoSeconds(endAt) })]);
    if (action === 'terminate') found.push(['meta-data/spot/termination-time', isoSeconds(endAt)]);
  }
  return found;
}

/** What a path answers: a leaf's text, a directory's listing, or undefined for 404. */
export function lookUp(entries: Metadata, path: string): string | undefined {
  const leaf = entries.get(path);
  if (leaf !== undefined) return typeof leaf === 'string' ? leaf : leaf();
  const prefix = path === '' ? '' : `${path.replace(/\/$/, '')}/`;
  const names = new Set<string>();
  for (const name of entries.keys()) {
    if (!name.startsWith(prefix)) continue;
    const [first = '', ...deeper] = name.slice(prefix.length).split('/');
    names.add(deeper.length > 0 ? `${first}/` : first);
  }
  if (names.size === 0) return undefined;
  // The top level alone lists directories without a slash.
  return [...names].map((name) => (path === '' ? name.replace('/', '') : name)).join('\n');
}

function identityDocument(cloud: MetadataWorld, row: InstanceRow): string {
  const document = {
    accountId: cloud.world.accountId,
    architecture: row.architecture,
    availabilityZone: row.zone,
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: row.imageId,
    instanceId: row.instanceId,
    instanceType: row.type,
    kernelId: null,
    pendingTime: isoSeconds(row.launchTime),
    privateIp: row.privateIp,
    ramdiskId: null,
    region: row.region,
    version: '2017-09-30',
  };
  return JSON.stringify(document, null, 2);
}
