// A pretend cloud with a large fleet in it and no guests, for measurements: `node fleet-server.cjs MACHINES DIRECTORY`. Prints one JSON
// line { endpoint, accessKeyId, secretAccessKey, token } when it can be asked; ends when its standard input does.
import { setTimeout } from 'node:timers/promises';
import { EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { createSim } from '../../src/sim/create-sim.ts';
import { type InstanceRow, type VolumeRow, ec2Tables } from '../../src/sim/aws/ec2/rows.ts';
import { IMAGES, imageId } from '../../src/sim/data/images.ts';
import { REGIONS } from '../../src/sim/data/regions.ts';
import { machineDouble } from '../support/machine-double.ts';

const [machines = '10000', directory = ''] = process.argv.slice(2);
const perRegion = Math.ceil(Number(machines) / REGIONS.length);
const TYPES = ['t3.micro', 't3.small', 't3.medium', 'g5.xlarge'];

async function main(): Promise<void> {
  const sim = await createSim({ directory, dial: 'instant', machines: () => machineDouble() });
  const credentials = sim.credentials();

  /** One launched as anybody would, the others after its likeness. */
  for (const { name: region, zones } of REGIONS) {
    const client = new EC2Client({ endpoint: sim.endpoint, region, credentials });
    const Tags = [{ Key: 'Name', Value: 'runctl-fleet' }, { Key: 'runctl:owner', Value: 'me' }, { Key: 'runctl:project', Value: 'fleet' }, { Key: 'runctl:run', Value: 'run-20260101-aaaaaa' }, { Key: 'runctl:created', Value: '2026-01-01T00:00:00.000Z' }];
    const answer = await client.send(new RunInstancesCommand({ ImageId: imageId(IMAGES[0]!, region), InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, TagSpecifications: [{ ResourceType: 'instance', Tags }, { ResourceType: 'volume', Tags }] }));
    client.destroy();
    const id = answer.Instances![0]!.InstanceId!;
    const { instances, volumes } = ec2Tables(sim.cloud.world);
    while (instances.get(id)?.state !== 'running') await setTimeout(10);
    const model = instances.get(id) as InstanceRow;
    const disk = volumes.values().find((volume) => volume.attachment?.instanceId === id) as VolumeRow;
    for (let n = 1; n < perRegion; n += 1) {
      const suffix = n.toString(16).padStart(6, '0');
      const instanceId = id.slice(0, -6) + suffix;
      const volumeId = disk.volumeId.slice(0, -6) + suffix;
      const zone = zones[n % zones.length]!;
      const state = n % 10 === 0 ? ('stopped' as const) : model.state;
      instances.put(instanceId, {
        ...model, instanceId, reservationId: model.reservationId.slice(0, -6) + suffix, state, type: TYPES[n % TYPES.length]!, zone: zone.name, zoneId: zone.id, clientToken: undefined,
        createdAt: model.createdAt + n, ...(state === 'stopped' ? { publicIp: undefined } : {}), tags: { ...model.tags, 'runctl:project': `project-${n % 40}` },
      });
      volumes.put(volumeId, { ...disk, volumeId, zone: zone.name, zoneId: zone.id, attachment: { ...disk.attachment!, instanceId } });
    }
  }

  process.stdout.write(`${JSON.stringify({ endpoint: sim.endpoint, ...credentials, token: sim.controlToken() })}\n`);
  process.stdin.resume();
  process.stdin.on('end', () => void sim.close().then(() => process.exit(0)));
}

void main();
