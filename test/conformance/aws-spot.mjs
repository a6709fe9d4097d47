// The stock AWS CLI and spot machines: prices, scores, launches, an interruption and what is left of it, cancelled requests, a fleet.
// The market is moved, and time passed over, by `runctl sim`. Started by run.mjs with the environment of `runctl sim env`.
import assert from 'node:assert/strict';
import { findAws } from './clients.mjs';
import { check as checkAny, must, run, runctlJson } from './session.mjs';

const AL2023 = 'resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64';
const ZONE = 'us-east-1a';
const client = findAws();
const check = (title, body) => checkAny(title.replace(/^(R\d+) /, '$1 aws-spot: '), body);

const words = (args) => [...args, ...client.endpointArgs(process.env)];
const ec2 = (...args) => JSON.parse(must(client.command, words(['ec2', ...args, '--output', 'json'])) || '{}');

function refused(code, ...args) {
  // Of a lack of capacity the CLI would try again by itself.
  const { status, stderr } = run(client.command, words(['ec2', ...args]), { env: { ...process.env, AWS_MAX_ATTEMPTS: '1' } });
  assert.notEqual(status, 0, `${args.join(' ')} was accepted`);
  assert.match(stderr, new RegExp(`\\(${code}\\)`), `expected ${code}: ${stderr.trim()}`);
  return stderr;
}

const market = (options = {}) => JSON.stringify({ MarketType: 'spot', SpotOptions: options });
const launchWords = (options) => ['run-instances', '--image-id', AL2023, '--instance-type', 't3.micro', '--placement', `AvailabilityZone=${ZONE}`, '--instance-market-options', market(options)];
const launch = (options) => ec2(...launchWords(options)).Instances[0];
const instance = (id) => ec2('describe-instances', '--instance-ids', id).Reservations[0].Instances[0];
const request = (id) => ec2('describe-spot-instance-requests', '--spot-instance-request-ids', id).SpotInstanceRequests[0];

/** The CLI's own waiters ask every 15 seconds: by the time that one is asked here, what it waits for is there. */
function awaited(waiter, option, id, isThere) {
  const until = Date.now() + 60_000;
  while (!isThere()) assert.ok(Date.now() < until, `${id} does not become ${waiter}`);
  must(client.command, words(['ec2', 'wait', waiter, option, id]));
}

const running = (id) => awaited('instance-running', '--instance-ids', id, () => instance(id).State.Name === 'running');
const terminated = (id) => awaited('instance-terminated', '--instance-ids', id, () => instance(id).State.Name === 'terminated');
const fulfilled = (id) => awaited('spot-instance-request-fulfilled', '--spot-instance-request-ids', id, () => request(id).State === 'active');
const set = (...change) => runctlJson('sim', 'market', 'set', '--type', 't3.micro', '--zone', ZONE, ...change);

await check('R204 ec2 describe-spot-price-history shows the prices of "runctl sim market"', () => {
  const { pools } = runctlJson('sim', 'market', '--type', 't3.micro');
  const { SpotPriceHistory } = ec2('describe-spot-price-history', '--instance-types', 't3.micro', '--product-descriptions', 'Linux/UNIX', '--start-time', new Date().toISOString());
  const here = pools.filter((pool) => pool.region === 'us-east-1');
  assert.deepEqual(
    SpotPriceHistory.map((row) => [row.AvailabilityZone, Math.round(Number(row.SpotPrice) * 1e6)]).sort(),
    here.map((pool) => [pool.zone, pool.microUsdPerHour]).sort(),
  );
  const month = ec2('describe-spot-price-history', '--instance-types', 'g5.xlarge', '--availability-zone', ZONE, '--start-time', new Date(Date.now() - 30 * 86_400_000).toISOString());
  assert.ok(month.SpotPriceHistory.length > 30, `${month.SpotPriceHistory.length} prices in a month`);
});

await check('R204 ec2 get-spot-placement-scores', () => {
  const { SpotPlacementScores } = ec2('get-spot-placement-scores', '--instance-types', 'm5.large', 'm6i.large', 'c5.large', '--target-capacity', '1', '--region-names', 'us-east-1', '--single-availability-zone');
  assert.equal(SpotPlacementScores.length, 6);
  for (const { AvailabilityZoneId, Score } of SpotPlacementScores) assert.ok(/^use1-az\d$/.test(AvailabilityZoneId) && Score >= 1 && Score <= 10, `${AvailabilityZoneId} ${Score}`);
});

await check('R204 a market that does not give refuses in words that the CLI understands', () => {
  set('--price', '0.0374');
  assert.match(refused('SpotMaxPriceTooLow', ...launchWords({ MaxPrice: '0.001' })), /Your Spot request price of 0\.001 is lower than the minimum required Spot request fulfillment price of 0\.0374\./);
  set('--price', 'none', '--capacity', '0');
  assert.match(refused('InsufficientInstanceCapacity', ...launchWords({})), /There is no Spot capacity available/);
  set('--capacity', 'none');
});

let spot;
await check('R204 a spot machine and its request: active and fulfilled, running', () => {
  spot = launch({});
  assert.equal(spot.InstanceLifecycle, 'spot');
  running(spot.InstanceId);
  const seen = request(spot.SpotInstanceRequestId);
  assert.deepEqual([seen.State, seen.Status.Code, seen.InstanceId, seen.Type], ['active', 'fulfilled', spot.InstanceId, 'one-time']);
  const found = ec2('describe-instances', '--filters', 'Name=instance-lifecycle,Values=spot', 'Name=instance-state-name,Values=running');
  assert.deepEqual(found.Reservations.flatMap((each) => each.Instances.map((row) => row.InstanceId)), [spot.InstanceId]);
  assert.match(refused('UnsupportedOperation', 'stop-instances', '--instance-ids', spot.InstanceId), /one-time Spot Instance request/);
});

await check('R204 interrupted: the request says so at once, the machine runs on for two minutes, then it is terminated by EC2', () => {
  runctlJson('sim', 'interrupt', spot.InstanceId, '--rebalance', '1m');
  runctlJson('sim', 'clock', 'skip', '65s');
  const noticed = request(spot.SpotInstanceRequestId);
  assert.deepEqual([noticed.State, noticed.Status.Code], ['closed', 'instance-terminated-no-capacity']);
  assert.equal(instance(spot.InstanceId).State.Name, 'running');
  runctlJson('sim', 'clock', 'skip', '2m');
  terminated(spot.InstanceId);
  const gone = instance(spot.InstanceId);
  assert.equal(gone.StateReason.Code, 'Server.SpotInstanceTermination');
  assert.match(gone.StateTransitionReason, /^Server\.SpotInstanceTermination \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)$/);
  assert.equal(request(spot.SpotInstanceRequestId).Status.Code, 'instance-terminated-no-capacity');
});

await check('R204 a cancelled request leaves its machine running, and says so', () => {
  const kept = launch({ SpotInstanceType: 'persistent', InstanceInterruptionBehavior: 'stop' });
  running(kept.InstanceId);
  const { CancelledSpotInstanceRequests } = ec2('cancel-spot-instance-requests', '--spot-instance-request-ids', kept.SpotInstanceRequestId);
  assert.equal(CancelledSpotInstanceRequests[0].State, 'cancelled');
  const seen = request(kept.SpotInstanceRequestId);
  assert.deepEqual([seen.State, seen.Status.Code], ['cancelled', 'request-canceled-and-instance-running']);
  assert.equal(instance(kept.InstanceId).State.Name, 'running');
  ec2('terminate-instances', '--instance-ids', kept.InstanceId);
  assert.equal(request(kept.SpotInstanceRequestId).Status.Code, 'instance-terminated-by-user');
});

await check('R204 ec2 request-spot-instances: held without capacity, fulfilled when there is some, waited for by the CLI', () => {
  set('--capacity', '0');
  const specification = JSON.stringify({ ImageId: instance(spot.InstanceId).ImageId, InstanceType: 't3.micro', Placement: { AvailabilityZone: ZONE } });
  const [asked] = ec2('request-spot-instances', '--launch-specification', specification).SpotInstanceRequests;
  assert.equal(asked.State, 'open');
  runctlJson('sim', 'clock', 'skip', '1m');
  assert.equal(request(asked.SpotInstanceRequestId).Status.Code, 'capacity-not-available');
  set('--capacity', 'none');
  fulfilled(asked.SpotInstanceRequestId);
  ec2('terminate-instances', '--instance-ids', request(asked.SpotInstanceRequestId).InstanceId);
});

await check('R204 ec2 create-fleet of type instant: what a pool refuses stands beside what another gives', () => {
  set('--capacity', '0');
  const data = JSON.stringify({ ImageId: instance(spot.InstanceId).ImageId, InstanceType: 't3.micro' });
  const { LaunchTemplate } = ec2('create-launch-template', '--launch-template-name', 'spot', '--launch-template-data', data);
  const configs = JSON.stringify([{ LaunchTemplateSpecification: { LaunchTemplateId: LaunchTemplate.LaunchTemplateId, Version: '$Latest' }, Overrides: [{ AvailabilityZone: ZONE, Priority: 1 }, { AvailabilityZone: 'us-east-1b', Priority: 2 }] }]);
  const fleet = ec2('create-fleet', '--type', 'instant', '--launch-template-configs', configs, '--spot-options', 'AllocationStrategy=capacity-optimized-prioritized', '--target-capacity-specification', 'TotalTargetCapacity=1,DefaultTargetCapacityType=spot');
  assert.deepEqual(fleet.Errors.map((error) => error.ErrorCode), ['InsufficientInstanceCapacity']);
  const [id] = fleet.Instances[0].InstanceIds;
  assert.deepEqual([instance(id).InstanceLifecycle, instance(id).Placement.AvailabilityZone], ['spot', 'us-east-1b']);
  assert.equal(ec2('delete-fleets', '--fleet-ids', fleet.FleetId, '--terminate-instances').SuccessfulFleetDeletions.length, 1);
  ec2('delete-launch-template', '--launch-template-id', LaunchTemplate.LaunchTemplateId);
});
