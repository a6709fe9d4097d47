import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type WireDouble, type WireReply, ec2Error, ec2Xml, startWireDouble } from '../../../test/support/wire-double.ts';
import { realClock } from '../../app/clock.ts';
import type { InventoryRequest, Item } from '../../core/inventory.ts';
import type { Provider } from '../../core/ports.ts';
import { createAwsProvider } from './index.ts';

let wire: WireDouble;
let provider: ReturnType<typeof createAwsProvider>;
beforeEach(async () => {
  wire = await startWireDouble();
  provider = createAwsProvider({ region: 'us-east-1', clock: realClock, env: { ...wire.env, AWS_MAX_ATTEMPTS: '1' } });
});
afterEach(async () => {
  provider.close();
  await wire.close();
});

const OWN = '<item><key>runctl:owner</key><value>me</value></item><item><key>runctl:run</key><value>run-20260101-aaaaaa</value></item>';
const instance = (id: string, tags = OWN): string => `<item><instanceId>${id}</instanceId><instanceType>t3.micro</instanceType><instanceState><code>16</code><name>running</name></instanceState><launchTime>2026-01-01T00:00:00Z</launchTime><tagSet>${tags}</tagSet></item>`;
const reservations = (ids: string[], next?: string, tags?: string): WireReply =>
  ec2Xml('DescribeInstances', `<reservationSet><item><instancesSet>${ids.map((id) => instance(id, tags)).join('')}</instancesSet></item></reservationSet>${next === undefined ? '' : `<nextToken>${next}</nextToken>`}`);

async function look(wanted: Partial<InventoryRequest>, from: Provider = provider): Promise<{ items: Item[]; end: Awaited<ReturnType<NonNullable<Provider['inventory']>>> }> {
  const items: Item[] = [];
  const end = await from.inventory!({ kinds: ['machine'], ...wanted }, (item) => items.push(item));
  return { items, end };
}

describe('R244 the inventory', () => {
  test('R244 D42 asks page after page, the last of which may end with an empty token, and never for more than a thousand at a time', async () => {
    wire.on('DescribeInstances', ({ params }) => (params['NextToken'] === undefined ? reservations(['i-1', 'i-2'], 'two') : params['NextToken'] === 'two' ? reservations(['i-3'], 'three') : reservations(['i-4'], '')));
    const { items } = await look({});
    expect(items.map(({ id }) => id)).toEqual(['i-1', 'i-2', 'i-3', 'i-4']);
    expect(wire.of('DescribeInstances').map(({ params }) => params['MaxResults'])).toEqual(['1000', '1000', '1000']);
  });

  test('R244 the cloud sorts out by tags and state; names with wildcards mean themselves', async () => {
    wire.on('DescribeInstances', reservations([]));
    await look({ owner: 'a*b?c\\d', project: 'mnist', type: 'g5.*', states: ['running'] });
    const { params } = wire.of('DescribeInstances')[0]!;
    const filters = [1, 2, 3, 4].map((n) => [params[`Filter.${n}.Name`], params[`Filter.${n}.Value.1`]]);
    expect(filters).toEqual([['tag:runctl:owner', 'a\\*b\\?c\\\\d'], ['tag:runctl:project', 'mnist'], ['instance-type', 'g5.*'], ['instance-state-name', 'running']]);
  });

  test('R244 regions and kinds are asked side by side', async () => {
    let open = 0;
    let most = 0;
    const slow = (reply: WireReply) => async (): Promise<WireReply> => {
      most = Math.max(most, ++open);
      await setTimeout(30);
      open -= 1;
      return reply;
    };
    wire.on('DescribeInstances', slow(reservations(['i-1'])));
    wire.on('DescribeVolumes', slow(ec2Xml('DescribeVolumes', '<volumeSet/>')));
    const { items, end } = await look({ regions: ['us-east-1', 'us-west-2', 'eu-west-1'], also: ['us-west-2', 'eu-north-1'], kinds: ['machine', 'volume'] });
    expect(end.regions).toEqual(['eu-north-1', 'eu-west-1', 'us-east-1', 'us-west-2']);
    expect(items.map(({ region }) => region).toSorted()).toEqual(end.regions);
    expect(most).toBeGreaterThan(4);
    expect(wire.of('DescribeInstances').map(({ region }) => region).toSorted()).toEqual(end.regions);
  });

  test('R244 a region or a kind that refuses is told, and stops nothing; when nobody answers, that is the error', async () => {
    wire.on('DescribeInstances', ({ region }) => (region === 'eu-west-1' ? ec2Error('UnauthorizedOperation', 'You are not authorized to perform this operation.', 403) : reservations(['i-1'])));
    wire.on('DescribeSnapshots', ec2Error('AuthFailure', 'AWS was not able to validate the provided access credentials', 401));
    const { items, end } = await look({ regions: ['us-east-1', 'eu-west-1'], kinds: ['machine', 'snapshot'] });
    expect(items.map(({ id }) => id)).toEqual(['i-1']);
    expect(end.regions).toEqual(['us-east-1']);
    expect(end.failed.map(({ region, kind }) => `${region} ${kind}`).toSorted()).toEqual(['eu-west-1 machine', 'eu-west-1 snapshot', 'us-east-1 snapshot']);
    await expect(look({ regions: ['eu-west-1'] })).rejects.toMatchObject({ code: 'not-permitted' });
  });

  test('R244 all regions are those that the account has enabled', async () => {
    wire.on('DescribeRegions', ec2Xml('DescribeRegions', '<regionInfo><item><regionName>us-east-1</regionName></item><item><regionName>sa-east-1</regionName></item></regionInfo>'));
    wire.on('DescribeInstances', reservations([]));
    expect((await look({ regions: 'all' })).end.regions).toEqual(['sa-east-1', 'us-east-1']);
    expect(wire.of('DescribeRegions')[0]!.params['AllRegions']).toBeUndefined();
  });

  test('R226 others are counted when asked for, and handed to nobody', async () => {
    wire.on('DescribeInstances', reservations(['i-1', 'i-2'], undefined, '<item><key>Name</key><value>runctl-x</value></item>'));
    const { items, end } = await look({ foreign: true });
    expect(items).toEqual([]);
    expect(end.foreign).toEqual({ 'us-east-1': 2 });
    expect(wire.of('DescribeInstances')[0]!.params['Filter.1.Name']).toBe('instance-state-name');
  });

  test('R082 disks, snapshots, spot requests and objects come with what a decision needs', async () => {
    wire.on('DescribeVolumes', ec2Xml('DescribeVolumes', `<volumeSet><item><volumeId>vol-1</volumeId><size>30</size><status>in-use</status><volumeType>gp3</volumeType><createTime>2026-01-01T00:00:00Z</createTime><attachmentSet><item><instanceId>i-1</instanceId><status>attached</status><deleteOnTermination>true</deleteOnTermination></item></attachmentSet><tagSet>${OWN}</tagSet></item></volumeSet>`));
    wire.on('DescribeSnapshots', ec2Xml('DescribeSnapshots', `<snapshotSet><item><snapshotId>snap-1</snapshotId><volumeId>vol-9</volumeId><volumeSize>8</volumeSize><status>completed</status><startTime>2026-01-01T00:00:00Z</startTime><tagSet>${OWN}</tagSet></item></snapshotSet>`));
    wire.on('DescribeSpotInstanceRequests', ec2Xml('DescribeSpotInstanceRequests', `<spotInstanceRequestSet><item><spotInstanceRequestId>sir-1</spotInstanceRequestId><state>open</state><status><code>capacity-not-available</code></status><createTime>2026-01-01T00:00:00Z</createTime><tagSet>${OWN}</tagSet></item></spotInstanceRequestSet>`));
    wire.on('HEAD /bucket', { status: 200, headers: { 'x-amz-bucket-region': 'us-east-1' } });
    wire.on('GET /bucket', { headers: { 'content-type': 'application/xml' }, body: '<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>runctl/run-20260101-aaaaaa/code-1.tar.gz</Key><Size>5</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents><Contents><Key>runctl/notes.txt</Key><Size>5</Size></Contents></ListBucketResult>' });
    const { items } = await look({ kinds: ['volume', 'snapshot', 'spot-request', 'object'], bucket: 'bucket' });
    const tags = { 'runctl:owner': 'me', 'runctl:run': 'run-20260101-aaaaaa' };
    const createdAt = Date.UTC(2026, 0, 1);
    expect(items.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
      { kind: 'object', id: 's3://bucket/runctl/notes.txt', region: 'us-east-1', bucket: 'bucket', key: 'runctl/notes.txt', bytes: 5, tags: {} },
      { kind: 'object', id: 's3://bucket/runctl/run-20260101-aaaaaa/code-1.tar.gz', region: 'us-east-1', bucket: 'bucket', key: 'runctl/run-20260101-aaaaaa/code-1.tar.gz', bytes: 5, createdAt, tags: { 'runctl:run': 'run-20260101-aaaaaa' } },
      { kind: 'spot-request', id: 'sir-1', region: 'us-east-1', state: 'open', status: 'capacity-not-available', createdAt, tags },
      { kind: 'snapshot', id: 'snap-1', region: 'us-east-1', state: 'completed', gb: 8, volume: 'vol-9', createdAt, tags },
      { kind: 'volume', id: 'vol-1', region: 'us-east-1', state: 'in-use', gb: 30, type: 'gp3', attachedTo: 'i-1', withMachine: true, createdAt, tags },
    ]);
    expect(wire.of('GET /bucket')[0]!.path).toContain('prefix=runctl%2F');
    expect(wire.of('DescribeSnapshots')[0]!.params['Owner.1']).toBe('self');
  });
});

describe('R226 removing', () => {
  const volume = { kind: 'volume', id: 'vol-1', region: 'eu-west-1', tags: {}, state: 'available', gb: 1, type: 'gp3' } as const;

  test('R226 in the region of the thing; what is gone already is removed', async () => {
    wire.on('DeleteVolume', ec2Xml('DeleteVolume', '<return>true</return>'), ec2Error('InvalidVolume.NotFound', 'The volume does not exist.'), ec2Error('VolumeInUse', 'Volume vol-1 is currently attached to i-1'));
    await provider.dispose!(volume);
    await provider.dispose!(volume);
    expect(wire.of('DeleteVolume')[0]).toMatchObject({ region: 'eu-west-1', params: { VolumeId: 'vol-1' } });
    await expect(provider.dispose!(volume)).rejects.toMatchObject({ message: expect.stringContaining('vol-1') });
  });

  test('R226 a spot request counts as cancelled when EC2 says so', async () => {
    const answer = (state: string): WireReply => ec2Xml('CancelSpotInstanceRequests', `<spotInstanceRequestSet><item><spotInstanceRequestId>sir-1</spotInstanceRequestId><state>${state}</state></item></spotInstanceRequestSet>`);
    wire.on('CancelSpotInstanceRequests', answer('cancelled'), answer('active'));
    const request = { kind: 'spot-request', id: 'sir-1', region: 'us-east-1', tags: {}, state: 'open' } as const;
    await provider.dispose!(request);
    await expect(provider.dispose!(request)).rejects.toMatchObject({ code: 'cloud-refused', message: 'the spot request sir-1 is active still' });
  });
});
