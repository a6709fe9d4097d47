// The stock AWS CLI against the sim's disks: a volume made, attached, shot, detached, restored, deleted, and what the pretend bill
// says of it. Started by run.mjs with the environment of `runctl sim env`.
import assert from 'node:assert/strict';
import { findAws } from './clients.mjs';
import { check as checkAny, must, run, runctl, runctlJson } from './session.mjs';

const client = findAws();
const check = (title, body) => checkAny(title.replace(/^(R\d+) /, '$1 aws-volumes: '), body);
const words = (args) => [...args, ...client.endpointArgs(process.env)];
const ec2 = (...args) => must(client.command, words(['ec2', ...args]));
const ec2Json = (...args) => JSON.parse(ec2(...args, '--output', 'json'));

function refused(code, ...args) {
  const { status, stderr } = run(client.command, words(['ec2', ...args]));
  assert.notEqual(status, 0, `${args.join(' ')} was accepted`);
  assert.match(stderr, new RegExp(`\\(${code}\\)`), `expected ${code}: ${stderr.trim()}`);
}

let instanceId;
let volumeId;
let snapshotId;

await check('R204 create-volume in the zone of a machine, wait volume-available, attach-volume', () => {
  assert.match(runctl('sim', 'bill'), /^Nothing to pay/);
  instanceId = runctl('aws', 'create', 't3.micro', '--wait', '--yes', '--output', 'instance-id');
  const zone = ec2('describe-instances', '--instance-ids', instanceId, '--query', 'Reservations[0].Instances[0].Placement.AvailabilityZone', '--output', 'text').trim();
  const made = ec2Json('create-volume', '--availability-zone', zone, '--size', '100', '--volume-type', 'gp3', '--tag-specifications', 'ResourceType=volume,Tags=[{Key=team,Value=ml}]');
  volumeId = made.VolumeId;
  assert.deepEqual([made.Size, made.Iops, made.Throughput, made.Tags], [100, 3000, 125, [{ Key: 'team', Value: 'ml' }]]);
  ec2('wait', 'volume-available', '--volume-ids', volumeId);
  assert.equal(ec2Json('attach-volume', '--volume-id', volumeId, '--instance-id', instanceId, '--device', '/dev/sdf').State, 'attaching');
  ec2('wait', 'volume-in-use', '--volume-ids', volumeId);
  assert.equal(ec2Json('describe-volumes', '--filters', 'Name=tag:team,Values=ml', 'Name=attachment.status,Values=attached').Volumes[0].Attachments[0].InstanceId, instanceId);
});

await check('R204 delete-volume, attach-volume and create-volume are refused where EC2 refuses them', () => {
  refused('VolumeInUse', 'delete-volume', '--volume-id', volumeId);
  refused('VolumeInUse', 'attach-volume', '--volume-id', volumeId, '--instance-id', instanceId, '--device', '/dev/sdg');
  refused('InvalidVolume.NotFound', 'describe-volumes', '--volume-ids', 'vol-0123456789abcdef0');
  refused('InvalidZone.NotFound', 'create-volume', '--availability-zone', 'us-east-1z', '--size', '1');
});

await check('R204 create-snapshot, wait snapshot-completed, describe-snapshots, a volume from it', () => {
  snapshotId = ec2Json('create-snapshot', '--volume-id', volumeId, '--description', 'after epoch 3').SnapshotId;
  ec2('wait', 'snapshot-completed', '--snapshot-ids', snapshotId);
  const { Snapshots } = ec2Json('describe-snapshots', '--owner-ids', 'self');
  assert.deepEqual(Snapshots.map((shot) => [shot.SnapshotId, shot.VolumeId, shot.State, shot.Progress, shot.Description]), [[snapshotId, volumeId, 'completed', '100%', 'after epoch 3']]);
  const copy = ec2Json('create-volume', '--availability-zone', 'us-east-1a', '--snapshot-id', snapshotId, '--volume-type', 'gp3');
  assert.equal(copy.Size, 100);
  ec2('delete-volume', '--volume-id', copy.VolumeId);
});

await check('R204 a data volume outlives its machine; detached it is deleted, and so is the snapshot', () => {
  ec2('terminate-instances', '--instance-ids', instanceId);
  ec2('wait', 'volume-available', '--volume-ids', volumeId);
  refused('IncorrectState', 'detach-volume', '--volume-id', volumeId);
  ec2('delete-volume', '--volume-id', volumeId);
  ec2('wait', 'volume-deleted', '--volume-ids', volumeId);
  ec2('delete-snapshot', '--snapshot-id', snapshotId);
  refused('InvalidSnapshot.NotFound', 'describe-snapshots', '--snapshot-ids', snapshotId);
});

await check('R207 the pretend bill shows machine, free disk and snapshot, and stands still when all are gone', async () => {
  const bill = runctlJson('sim', 'bill');
  assert.deepEqual(bill.rows.map((row) => row.name).filter((name) => [instanceId, snapshotId].includes(name)), [instanceId, snapshotId]);
  assert.equal(bill.lines[0].disks.some((disk) => disk.volumeId === volumeId), true);
  assert.equal(bill.rows.reduce((sum, row) => sum + row.totalMicroUsd, 0), bill.totalMicroUsd);
  assert.equal(bill.rows.some((row) => row.open), false);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.equal(runctl('sim', 'bill', '--output', 'total-micro-usd'), String(bill.totalMicroUsd));
});
