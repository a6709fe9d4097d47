// The stock AWS CLI against the sim: control plane, a machine's whole life, object store, refusals, and the two-way check with runctl.
// Started by run.mjs with the environment of `runctl sim env`. Its files are small on purpose: each call costs the CLI over half a second.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { findAws } from './clients.mjs';
import { MAIN } from './private-sim.mjs';
import { check as checkAny, must, run, runctl, runctlJson } from './session.mjs';

const PROFILE = 'runctl-ssm-profile';
const AL2023 = '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64';
const client = findAws();
const check = (title, body) => checkAny(title.replace(/^(R\d+) /, '$1 aws-cli: '), body);

const words = (args, env) => [...args, ...client.endpointArgs(env)];
const aws = (...args) => must(client.command, words(args, process.env));
const awsJson = (...args) => JSON.parse(aws(...args, '--output', 'json'));

/** The call must fail with this error code, as the CLI words it: so the error was understood, not just met. */
function refused(code, args, env = process.env) {
  const { status, stderr } = run(client.command, words(args, env), { env });
  assert.notEqual(status, 0, `${args.join(' ')} was accepted`);
  assert.match(stderr, new RegExp(`\\(${code}\\)|: ${code}`), `expected ${code}: ${stderr.trim()}`);
  assert.doesNotMatch(stderr, /<html|Traceback|Unable to parse|invalid XML/i);
  return stderr;
}

/** Run one line on a machine as SSM does; returns what get-command-invocation answers. */
function onMachine(instanceId, line, expected = 'Success') {
  const { Command } = awsJson('ssm', 'send-command', '--instance-ids', instanceId, '--document-name', 'AWS-RunShellScript', '--parameters', JSON.stringify({ commands: [line] }));
  const wait = run(client.command, words(['ssm', 'wait', 'command-executed', '--command-id', Command.CommandId, '--instance-id', instanceId], process.env));
  const answer = awsJson('ssm', 'get-command-invocation', '--command-id', Command.CommandId, '--instance-id', instanceId);
  assert.equal(answer.Status, expected, answer.StandardErrorContent);
  assert.equal(wait.status === 0, expected === 'Success', `the waiter ended with ${wait.status}: ${wait.stderr}`);
  return answer;
}

const fetchStatus = (url) =>
  new Promise((resolve, reject) => {
    get(url, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve([response.statusCode, Buffer.concat(parts).toString('utf8')]));
    }).on('error', reject);
  });

// ---- who am I, and who is not let in

await check('R201 eval "$(runctl sim env)" points a plain shell at the sim', () => {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_')));
  const line = `eval "$("$NODE" "$RUNCTL_MAIN" sim env)" && "$CLIENT" ${client.endpointArgs(process.env).length > 0 ? '--endpoint-url "$AWS_ENDPOINT_URL" ' : ''}sts get-caller-identity --query Account --output text`;
  assert.match(must('sh', ['-c', line], { env: { ...env, NODE: process.execPath, RUNCTL_MAIN: MAIN, CLIENT: client.command } }), /^\d{12}\n$/);
});

await check('R200 sts get-caller-identity', () => {
  const me = awsJson('sts', 'get-caller-identity');
  assert.match(me.Account, /^\d{12}$/);
  assert.ok(me.Arn.startsWith(`arn:aws:iam::${me.Account}:`), me.Arn);
});

await check('R208 a wrong secret is refused by every service in its own words', () => {
  const env = { ...process.env, AWS_SECRET_ACCESS_KEY: 'not-the-secret' };
  refused('SignatureDoesNotMatch', ['sts', 'get-caller-identity'], env);
  refused('AuthFailure', ['ec2', 'describe-instances'], env);
  refused('InvalidSignatureException', ['ssm', 'list-commands'], env);
  refused('SignatureDoesNotMatch', ['s3api', 'list-buckets'], env);
  refused('SignatureDoesNotMatch', ['iam', 'list-roles'], env);
});

await check('R208 an unknown access key is refused', () => {
  const env = { ...process.env, AWS_ACCESS_KEY_ID: 'AKIAAAAAAAAAAAAAAAAA' };
  refused('InvalidClientTokenId', ['sts', 'get-caller-identity'], env);
  refused('AuthFailure', ['ec2', 'describe-instances'], env);
  refused('InvalidAccessKeyId', ['s3api', 'list-buckets'], env);
});

await check('R200 an operation that is not there gets an error that names it, in the protocol of its service', () => {
  assert.match(refused('InvalidAction', ['ec2', 'describe-carrier-gateways']), /DescribeCarrierGateways/);
  assert.match(refused('InvalidAction', ['iam', 'list-saml-providers']), /ListSAMLProviders/);
  assert.match(refused('UnknownOperationException', ['ssm', 'list-ops-metadata']), /ListOpsMetadata/);
  assert.match(refused('NotImplemented', ['s3api', 'restore-object', '--bucket', 'none-such', '--key', 'k', '--restore-request', 'Days=1']), /restore/i);
});

await check('R200 a service that is not there gets an error that its client can read', () => {
  refused('InvalidAction', ['sns', 'list-topics']);
  refused('UnknownOperationException', ['dynamodb', 'list-tables']);
});

// ---- what there is to choose from

let imageId;
let vpcId;
let subnetId;
await check('R200 ec2 describe-vpcs, describe-subnets, describe-availability-zones', () => {
  const { Vpcs } = awsJson('ec2', 'describe-vpcs', '--filters', 'Name=is-default,Values=true');
  assert.equal(Vpcs.length, 1);
  vpcId = Vpcs[0].VpcId;
  const { Subnets } = awsJson('ec2', 'describe-subnets', '--filters', `Name=vpc-id,Values=${vpcId}`, 'Name=default-for-az,Values=true');
  const zones = aws('ec2', 'describe-availability-zones', '--query', 'AvailabilityZones[].ZoneName', '--output', 'text').trim().split(/\s+/);
  assert.deepEqual(Subnets.map((subnet) => subnet.AvailabilityZone).sort(), zones.sort());
  subnetId = Subnets[0].SubnetId;
});

await check('R200 ssm get-parameter names the image that ec2 describe-images shows', () => {
  imageId = aws('ssm', 'get-parameter', '--name', AL2023, '--query', 'Parameter.Value', '--output', 'text').trim();
  assert.match(imageId, /^ami-[0-9a-f]{17}$/);
  const { Images } = awsJson('ec2', 'describe-images', '--image-ids', imageId);
  assert.equal(Images[0].Architecture, 'x86_64');
  assert.equal(Images[0].RootDeviceName, Images[0].BlockDeviceMappings[0].DeviceName);
  const found = awsJson('ec2', 'describe-images', '--owners', 'amazon', '--filters', 'Name=name,Values=al2023-ami-2*', 'Name=architecture,Values=x86_64', 'Name=state,Values=available');
  assert.ok(found.Images.some((image) => image.ImageId === imageId));
  refused('ParameterNotFound', ['ssm', 'get-parameter', '--name', '/no/such/parameter']);
});

await check('R200 ec2 describe-instance-types and describe-instance-type-offerings', () => {
  const { InstanceTypes } = awsJson('ec2', 'describe-instance-types', '--instance-types', 't3.micro', 'g5.xlarge');
  const byName = Object.fromEntries(InstanceTypes.map((type) => [type.InstanceType, type]));
  assert.equal(byName['t3.micro'].VCpuInfo.DefaultVCpus, 2);
  assert.equal(byName['g5.xlarge'].GpuInfo.Gpus[0].Name, 'A10G');
  const { InstanceTypeOfferings } = awsJson('ec2', 'describe-instance-type-offerings', '--location-type', 'availability-zone', '--filters', 'Name=instance-type,Values=t3.micro');
  assert.ok(InstanceTypeOfferings.length > 1);
  refused('InvalidInstanceType', ['ec2', 'describe-instance-types', '--instance-types', 'z9.none']);
});

await check('R200 iam get-instance-profile; a role and a profile of one\'s own', () => {
  const { InstanceProfile } = awsJson('iam', 'get-instance-profile', '--instance-profile-name', PROFILE);
  assert.ok(InstanceProfile.Roles.length === 1 && InstanceProfile.Arn.endsWith(`instance-profile/${PROFILE}`));
  const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }] });
  aws('iam', 'create-role', '--role-name', 'mine', '--assume-role-policy-document', trust);
  aws('iam', 'attach-role-policy', '--role-name', 'mine', '--policy-arn', 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore');
  aws('iam', 'create-instance-profile', '--instance-profile-name', 'mine');
  aws('iam', 'add-role-to-instance-profile', '--instance-profile-name', 'mine', '--role-name', 'mine');
  assert.equal(aws('iam', 'get-instance-profile', '--instance-profile-name', 'mine', '--query', 'InstanceProfile.Roles[0].RoleName', '--output', 'text').trim(), 'mine');
  refused('DeleteConflict', ['iam', 'delete-role', '--role-name', 'mine']);
  refused('NoSuchEntity', ['iam', 'get-instance-profile', '--instance-profile-name', 'none-such']);
});

await check('R200 pricing get-products and service-quotas get-service-quota', () => {
  const filters = Object.entries({ instanceType: 't3.micro', regionCode: 'us-east-1', operatingSystem: 'Linux', tenancy: 'Shared', preInstalledSw: 'NA', capacitystatus: 'Used' });
  const { PriceList } = awsJson('pricing', 'get-products', '--region', 'us-east-1', '--service-code', 'AmazonEC2', '--filters', ...filters.map(([field, value]) => `Type=TERM_MATCH,Field=${field},Value=${value}`));
  assert.equal(PriceList.length, 1);
  const [term] = Object.values(JSON.parse(PriceList[0]).terms.OnDemand);
  assert.ok(Number(Object.values(term.priceDimensions)[0].pricePerUnit.USD) > 0);
  const { Quota } = awsJson('service-quotas', 'get-service-quota', '--service-code', 'ec2', '--quota-code', 'L-1216C47A');
  assert.ok(Quota.Value > 0 && Quota.QuotaName.includes('Standard'));
  refused('NoSuchResourceException', ['service-quotas', 'get-service-quota', '--service-code', 'ec2', '--quota-code', 'L-00000000']);
});

// ---- a machine's life

let groupId;
await check('R200 ec2 create-security-group, authorize, describe, revoke; a duplicate is refused', () => {
  groupId = awsJson('ec2', 'create-security-group', '--group-name', 'cli', '--description', 'made by the CLI', '--vpc-id', vpcId).GroupId;
  const rule = ['--group-id', groupId, '--protocol', 'tcp', '--port', '22', '--cidr', '203.0.113.7/32'];
  aws('ec2', 'authorize-security-group-ingress', ...rule);
  refused('InvalidPermission.Duplicate', ['ec2', 'authorize-security-group-ingress', ...rule]);
  const shown = awsJson('ec2', 'describe-security-groups', '--group-ids', groupId).SecurityGroups[0];
  assert.equal(shown.IpPermissions[0].FromPort, 22);
  aws('ec2', 'revoke-security-group-ingress', ...rule);
  assert.deepEqual(awsJson('ec2', 'describe-security-groups', '--filters', 'Name=group-name,Values=cli').SecurityGroups[0].IpPermissions, []);
  refused('InvalidGroup.Duplicate', ['ec2', 'create-security-group', '--group-name', 'cli', '--description', 'again', '--vpc-id', vpcId]);
});

await check('R200 ec2 create-key-pair, describe-key-pairs', () => {
  const key = awsJson('ec2', 'create-key-pair', '--key-name', 'cli', '--key-type', 'ed25519');
  assert.match(key.KeyMaterial, /^-----BEGIN [A-Z ]*PRIVATE KEY-----/);
  assert.equal(awsJson('ec2', 'describe-key-pairs', '--key-names', 'cli').KeyPairs[0].KeyPairId, key.KeyPairId);
});

let launch;
let instanceId;
await check('R200 ec2 run-instances: dry run, launch, wait instance-running', () => {
  launch = [
    'ec2', 'run-instances', '--image-id', imageId, '--instance-type', 't3.micro', '--iam-instance-profile', `Name=${PROFILE}`, '--subnet-id', subnetId, '--security-group-ids', groupId, '--key-name', 'cli',
    '--metadata-options', 'HttpTokens=required', '--client-token', 'conformance-1', '--tag-specifications', 'ResourceType=instance,Tags=[{Key=Name,Value=by cli & co},{Key=team,Value=ml}]',
  ];
  refused('DryRunOperation', [...launch, '--dry-run']);
  const { Instances } = awsJson(...launch);
  instanceId = Instances[0].InstanceId;
  assert.match(instanceId, /^i-[0-9a-f]{17}$/);
  aws('ec2', 'wait', 'instance-running', '--instance-ids', instanceId);
});

await check('R200 the same client token gives the same instance; other parameters under it are refused', () => {
  assert.equal(awsJson(...launch).Instances[0].InstanceId, instanceId);
  refused('IdempotentParameterMismatch', launch.map((word) => (word === 't3.micro' ? 't3.small' : word)));
});

await check('R200 ec2 describe-instances by tag and state, describe-instance-status, describe-volumes', () => {
  const [found] = awsJson('ec2', 'describe-instances', '--filters', 'Name=tag:team,Values=ml', 'Name=instance-state-name,Values=running').Reservations.flatMap((reservation) => reservation.Instances);
  assert.equal(found.InstanceId, instanceId);
  assert.equal(found.MetadataOptions.HttpTokens, 'required');
  assert.equal(found.SecurityGroups[0].GroupId, groupId);
  assert.ok(found.IamInstanceProfile.Arn.endsWith(PROFILE));
  assert.equal(found.Tags.find((tag) => tag.Key === 'Name').Value, 'by cli & co');
  assert.equal(awsJson('ec2', 'describe-instance-status', '--instance-ids', instanceId).InstanceStatuses[0].InstanceState.Name, 'running');
  const [volume] = awsJson('ec2', 'describe-volumes', '--filters', `Name=attachment.instance-id,Values=${instanceId}`).Volumes;
  assert.equal(volume.Attachments[0].Device, found.RootDeviceName);
});

await check('R200 ec2 create-tags, describe-tags, delete-tags', () => {
  aws('ec2', 'create-tags', '--resources', instanceId, '--tags', 'Key=note,Value="a<b>&c"');
  const { Tags } = awsJson('ec2', 'describe-tags', '--filters', `Name=resource-id,Values=${instanceId}`, 'Name=key,Values=note');
  assert.equal(Tags[0].Value, 'a<b>&c');
  aws('ec2', 'delete-tags', '--resources', instanceId, '--tags', 'Key=note');
  assert.deepEqual(awsJson('ec2', 'describe-tags', '--filters', `Name=resource-id,Values=${instanceId}`, 'Name=key,Values=note').Tags, []);
});

await check('R200 ssm describe-instance-information, send-command, wait command-executed, get-command-invocation', () => {
  const { InstanceInformationList } = awsJson('ssm', 'describe-instance-information', '--filters', `Key=InstanceIds,Values=${instanceId}`);
  assert.equal(InstanceInformationList[0].PingStatus, 'Online');
  const answer = onMachine(instanceId, 'echo "six times seven: $((6*7))"; echo oops >&2; echo kept > /home/ec2-user/kept');
  assert.equal(answer.StandardOutputContent, 'six times seven: 42\n');
  assert.equal(answer.StandardErrorContent, 'oops\n');
  assert.equal(answer.ResponseCode, 0);
});

await check('R203 ssm: exit code of a failing script; list-command-invocations shows it', () => {
  const answer = onMachine(instanceId, 'echo before; exit 7', 'Failed');
  assert.equal(answer.ResponseCode, 7);
  const { CommandInvocations } = awsJson('ssm', 'list-command-invocations', '--command-id', answer.CommandId, '--details');
  assert.equal(CommandInvocations[0].CommandPlugins[0].ResponseCode, 7);
  refused('InvalidInstanceId', ['ssm', 'send-command', '--instance-ids', 'i-0123456789abcdef0', '--document-name', 'AWS-RunShellScript', '--parameters', 'commands=true']);
  refused('InvalidDocument', ['ssm', 'send-command', '--instance-ids', instanceId, '--document-name', 'No-Such', '--parameters', 'commands=true']);
});

await check('R201 runctl status sees the instance that the AWS CLI made', () => {
  const seen = runctlJson('aws', 'status', instanceId);
  assert.equal(seen.state, 'running');
  assert.equal(seen.instanceType, 't3.micro');
  assert.equal(seen.iamInstanceProfile, PROFILE);
});

await check('R200 ec2 stop-instances, wait instance-stopped; a stopped machine takes no command; start; its disk was kept', () => {
  aws('ec2', 'stop-instances', '--instance-ids', instanceId);
  aws('ec2', 'wait', 'instance-stopped', '--instance-ids', instanceId);
  refused('InvalidInstanceId', ['ssm', 'send-command', '--instance-ids', instanceId, '--document-name', 'AWS-RunShellScript', '--parameters', 'commands=true']);
  aws('ec2', 'start-instances', '--instance-ids', instanceId);
  aws('ec2', 'wait', 'instance-running', '--instance-ids', instanceId);
  assert.equal(onMachine(instanceId, 'cat /home/ec2-user/kept').StandardOutputContent, 'kept\n');
});

await check('R200 EC2 refuses unknown and malformed ids, images and types by their codes', () => {
  refused('InvalidInstanceID.NotFound', ['ec2', 'describe-instances', '--instance-ids', 'i-0123456789abcdef0']);
  refused('InvalidInstanceID.Malformed', ['ec2', 'describe-instances', '--instance-ids', 'nonsense']);
  refused('InvalidAMIID.NotFound', ['ec2', 'run-instances', '--image-id', 'ami-0123456789abcdef0', '--instance-type', 't3.micro']);
  refused('InvalidParameterValue', ['ec2', 'run-instances', '--image-id', imageId, '--instance-type', 'z9.none']);
});

// ---- object store

const bucket = 'conformance-cli';
const mine = (name) => join(process.cwd(), name);
await check('R200 s3 mb, cp, ls, head-object, cp back', () => {
  aws('s3', 'mb', `s3://${bucket}`);
  writeFileSync(mine('small.txt'), 'hello\n');
  aws('s3', 'cp', mine('small.txt'), `s3://${bucket}/dir/small.txt`, '--no-progress');
  assert.match(aws('s3', 'ls', `s3://${bucket}/dir/`), / 6 small\.txt\n$/);
  assert.match(aws('s3', 'ls'), new RegExp(` ${bucket}\\n`));
  assert.equal(awsJson('s3api', 'head-object', '--bucket', bucket, '--key', 'dir/small.txt').ContentType, 'text/plain');
  assert.equal(aws('s3', 'cp', `s3://${bucket}/dir/small.txt`, '-'), 'hello\n');
});

await check('R200 s3 cp of 20 MB goes in parts and comes back the same; a range of it', () => {
  const bytes = randomBytes(20 * 1024 * 1024 + 123);
  writeFileSync(mine('big.bin'), bytes);
  aws('s3', 'cp', mine('big.bin'), `s3://${bucket}/big.bin`, '--no-progress');
  assert.match(awsJson('s3api', 'head-object', '--bucket', bucket, '--key', 'big.bin').ETag, /^"[0-9a-f]{32}-3"$/);
  aws('s3', 'cp', `s3://${bucket}/big.bin`, mine('back.bin'), '--no-progress');
  assert.ok(bytes.equals(readFileSync(mine('back.bin'))), 'the bytes differ');
  aws('s3api', 'get-object', '--bucket', bucket, '--key', 'big.bin', '--range', 'bytes=9000000-9000099', mine('range.bin'));
  assert.ok(bytes.subarray(9_000_000, 9_000_100).equals(readFileSync(mine('range.bin'))), 'the range differs');
});

const odd = ['a b.txt', 'plus+and&amp.txt', 'ünï/çödé.txt', "it's (1).txt", 'hash#query?.txt', '100%.txt'];
await check('R200 s3 sync of a tree with odd names: up, nothing to do, down', () => {
  for (const [index, name] of odd.entries()) {
    mkdirSync(join(mine('tree'), name, '..'), { recursive: true });
    writeFileSync(join(mine('tree'), name), `file ${index}\n`);
    // S3 keeps whole seconds: a file written in the second of its upload looks newer than its copy.
    utimesSync(join(mine('tree'), name), 1_700_000_000, 1_700_000_000);
  }
  const up = aws('s3', 'sync', mine('tree'), `s3://${bucket}/tree`, '--no-progress');
  assert.equal(up.trim().split('\n').length, odd.length);
  assert.equal(aws('s3', 'sync', mine('tree'), `s3://${bucket}/tree`, '--no-progress'), '');
  aws('s3', 'sync', `s3://${bucket}/tree`, mine('tree2'), '--no-progress');
  for (const [index, name] of odd.entries()) assert.equal(readFileSync(join(mine('tree2'), name), 'utf8'), `file ${index}\n`);
});

await check('R200 s3 presign: the URL works, a changed one does not', async () => {
  const url = aws('s3', 'presign', `s3://${bucket}/tree/a b.txt`, '--expires-in', '60').trim();
  assert.deepEqual(await fetchStatus(url), [200, 'file 0\n']);
  assert.equal((await fetchStatus(url.replace('a%20b', 'plus%2Band%26amp')))[0], 403);
});

await check('R200 s3 refuses by its codes: NoSuchBucket, 404, BucketNotEmpty, wrong digest', () => {
  refused('NoSuchBucket', ['s3', 'ls', 's3://none-such-bucket-at-all']);
  refused('404', ['s3', 'cp', `s3://${bucket}/none`, '-']);
  refused('NoSuchKey', ['s3api', 'get-object', '--bucket', bucket, '--key', 'none', mine('none')]);
  refused('BucketNotEmpty', ['s3', 'rb', `s3://${bucket}`]);
  // The CLI takes a bad digest for a passing fault and would try five times.
  refused('BadDigest', ['s3api', 'put-object', '--bucket', bucket, '--key', 'x', '--body', mine('small.txt'), '--content-md5', 'AAAAAAAAAAAAAAAAAAAAAA=='], { ...process.env, AWS_MAX_ATTEMPTS: '1' });
  refused('PreconditionFailed', ['s3api', 'put-object', '--bucket', bucket, '--key', 'dir/small.txt', '--body', mine('small.txt'), '--if-none-match', '*']);
});

// ---- the same world from the other side

let other;
await check('R201 ec2 describe-instances sees the machine that runctl made', () => {
  other = runctl('aws', 'create', 't3.micro', '--iam-instance-profile', PROFILE, '--wait', '--yes', '--output', 'instance-id');
  assert.match(other, /^i-[0-9a-f]{17}$/);
  const [seen] = awsJson('ec2', 'describe-instances', '--instance-ids', other).Reservations[0].Instances;
  assert.equal(seen.State.Name, 'running');
  assert.equal(seen.MetadataOptions.HttpTokens, 'required');
  assert.ok(seen.Tags.some((tag) => tag.Key === 'runctl:run'));
});

await check('R201 ssm send-command drives it, and it reads what s3 cp put there', () => {
  const url = aws('s3', 'presign', `s3://${bucket}/dir/small.txt`).trim();
  const read = `python3 -c 'import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())' '${url}'`;
  assert.equal(onMachine(other, read).StandardOutputContent, 'hello\n');
});

await check('R201 two machines have homes of their own', () => {
  assert.equal(onMachine(other, 'ls /home/ec2-user/kept 2>/dev/null || echo nothing here').StandardOutputContent, 'nothing here\n');
});

await check('R201 terminated by the AWS CLI, gone for runctl; terminated by runctl, gone for the AWS CLI', () => {
  aws('ec2', 'terminate-instances', '--instance-ids', other);
  aws('ec2', 'wait', 'instance-terminated', '--instance-ids', other);
  assert.equal(runctlJson('aws', 'status', other).state, 'terminated');
  runctl('aws', 'terminate', instanceId, '--wait', '--yes');
  assert.equal(aws('ec2', 'describe-instances', '--instance-ids', instanceId, '--query', 'Reservations[0].Instances[0].State.Name', '--output', 'text').trim(), 'terminated');
});

await check('R200 what is left is removed: group, key pair, profile, role, objects, bucket', () => {
  aws('ec2', 'delete-security-group', '--group-id', groupId);
  aws('ec2', 'delete-key-pair', '--key-name', 'cli');
  aws('iam', 'remove-role-from-instance-profile', '--instance-profile-name', 'mine', '--role-name', 'mine');
  aws('iam', 'delete-instance-profile', '--instance-profile-name', 'mine');
  aws('iam', 'detach-role-policy', '--role-name', 'mine', '--policy-arn', 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore');
  aws('iam', 'delete-role', '--role-name', 'mine');
  aws('s3', 'rm', `s3://${bucket}/dir/small.txt`);
  aws('s3', 'rb', `s3://${bucket}`, '--force');
  assert.equal(aws('s3', 'ls'), '');
});
