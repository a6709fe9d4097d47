// Does: CreateFleet of type instant over several launch templates, types and zones, DescribeFleets, DeleteFleets.
// Gaps: fleets that maintain themselves; ModifyFleet, DescribeFleetHistory, DescribeFleetInstances.
// By design: what a pool refuses stands in the errors of an answer with status 200, beside what others gave, as on EC2; only a
// request that is wrong in itself fails.
// Source: EC2 API Reference CreateFleet, DescribeFleets (instant fleets by id only), DeleteFleets (instant fleets only with their
// instances); element names from botocore's model of API version 2016-11-15.
import { randomUUID } from 'node:crypto';
import type { Cloud } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { inOrder, readFleet } from './fleet-request.ts';
import type { FleetCandidate, FleetRequest } from './fleet-request.ts';
import { parametersHash, readLaunch } from './launch-request.ts';
import { BY_USER } from './lifecycle.ts';
import type { Lifecycle } from './lifecycle.ts';
import { dryRun, flag, isoTime, missing, object, text, texts } from './params.ts';
import { tagSet } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import type { FleetPart, FleetRow } from './market-rows.ts';
import { launch } from './run-instances.ts';
import { filterRows, page } from './select.ts';

type Target = FleetRequest['targets'][number];

/** Pools in turn until the target is met. `begins`: what is to be started once every row stands. */
function fill(cloud: Cloud, lifecycle: Lifecycle, fleet: FleetRow, candidates: readonly FleetCandidate[], target: Target, begins: (() => void)[]): void {
  let left = target.units;
  const turns = inOrder(cloud.world, fleet.region, candidates, target, cloud.clock.now());
  const each = target.strategy === 'diversified' ? 1 : Infinity;
  const dry = new Set<FleetCandidate>();
  while (left > 0 && dry.size < turns.length) {
    for (const candidate of turns) {
      if (left <= 0) break;
      if (dry.has(candidate)) continue;
      const part: FleetPart = { lifecycle: target.lifecycle, template: candidate.template, override: candidate.override, instanceIds: [] };
      try {
        const wanted = Math.min(each, Math.ceil(left / candidate.weight));
        part.instanceIds = launchPart(cloud, lifecycle, fleet, candidate, target.lifecycle, wanted, begins);
        fleet.launched.push(part);
        left -= part.instanceIds.length * candidate.weight;
        if (part.instanceIds.length < wanted) dry.add(candidate);
      } catch (error) {
        if (!(error instanceof AwsFault)) throw error;
        dry.add(candidate);
        fleet.errors.push({ ...part, error: { code: error.code, message: error.message } });
      }
    }
  }
}

function launchPart(cloud: Cloud, lifecycle: Lifecycle, fleet: FleetRow, candidate: FleetCandidate, market: FleetPart['lifecycle'], count: number, begins: (() => void)[]): string[] {
  const { InstanceMarketOptions: _own, ...plain } = candidate.launch;
  const { maxPrice } = candidate.override;
  const params: QueryParams = { ...plain, MinCount: '1', MaxCount: String(count) };
  if (market === 'spot') params['InstanceMarketOptions'] = { MarketType: 'spot', SpotOptions: { SpotInstanceType: 'one-time', ...(maxPrice === undefined ? {} : { MaxPrice: maxPrice }) } };
  const request = readLaunch(cloud.world, fleet.region, params, cloud.clock.now());
  const { rows, begin } = launch(cloud, fleet.region, { request, params, token: fleet.clientToken }, lifecycle);
  const { instances } = ec2Tables(cloud.world);
  for (const row of rows) {
    row.tags = { ...row.tags, 'aws:ec2:fleet-id': fleet.fleetId, 'aws:ec2launchtemplate:id': candidate.template.id, 'aws:ec2launchtemplate:version': candidate.template.version };
    instances.put(row.instanceId, row);
  }
  begins.push(begin);
  return rows.map((row) => row.instanceId);
}

function partXml(part: FleetPart): Xml {
  const { override, template } = part;
  return {
    launchTemplateAndOverrides: {
      launchTemplateSpecification: { launchTemplateId: template.id, version: template.version },
      overrides: { instanceType: override.instanceType, maxPrice: override.maxPrice, subnetId: override.subnetId, availabilityZone: override.zone },
    },
    lifecycle: part.lifecycle,
  };
}

function launchedXml(part: FleetPart): Xml {
  return { ...(partXml(part) as object), instanceIds: { item: part.instanceIds }, instanceType: part.override.instanceType };
}

function errorXml(part: FleetPart): Xml {
  return { ...(partXml(part) as object), errorCode: part.error?.code, errorMessage: part.error?.message };
}

function createdXml(fleet: FleetRow): Xml {
  return { fleetId: fleet.fleetId, errorSet: { item: fleet.errors.map(errorXml) }, fleetInstanceSet: { item: fleet.launched.map(launchedXml) } };
}

function stateOf(cloud: Cloud, fleet: FleetRow): string {
  if (!fleet.isDeleted) return 'active';
  const { instances } = ec2Tables(cloud.world);
  const gone = fleet.launched.flatMap((part) => part.instanceIds).every((id) => (instances.get(id)?.state ?? 'terminated') === 'terminated');
  return gone ? 'deleted' : 'deleted_terminating';
}

function fleetXml(cloud: Cloud, fleet: FleetRow): Xml {
  const target = object(fleet.params, 'TargetCapacitySpecification') ?? {};
  return {
    fleetId: fleet.fleetId,
    activityStatus: 'fulfilled',
    createTime: isoTime(fleet.createdAt),
    fleetState: stateOf(cloud, fleet),
    clientToken: fleet.clientToken,
    type: 'instant',
    fulfilledCapacity: fleet.launched.reduce((sum, part) => sum + part.instanceIds.length, 0),
    targetCapacitySpecification: { totalTargetCapacity: text(target, 'TotalTargetCapacity'), defaultTargetCapacityType: text(target, 'DefaultTargetCapacityType') },
    tagSet: tagSet(fleet.tags),
    errorSet: { item: fleet.errors.map(errorXml) },
    fleetInstanceSet: { item: fleet.launched.map(launchedXml) },
  };
}

function findFleets(cloud: Cloud, region: string, ids: string[]): FleetRow[] {
  return ids.map((id) => {
    const row = ec2Tables(cloud.world).fleets.get(id);
    if (row?.region !== region) throw new AwsFault('InvalidFleetId.NotFound', `The fleet ID '${id}' does not exist`);
    return row;
  });
}

export function fleetOperations(lifecycle: Lifecycle): QueryService['operations'] {
  return {
    CreateFleet(params, { cloud, region }): Xml {
      const { fleets } = ec2Tables(cloud.world);
      const clientToken = text(params, 'ClientToken');
      const hash = parametersHash(params);
      const earlier = clientToken === undefined ? undefined : fleets.values().find((row) => row.region === region && row.clientToken === clientToken);
      if (earlier) {
        if (earlier.parametersHash !== hash) throw new AwsFault('IdempotentParameterMismatch', 'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).');
        return createdXml(earlier);
      }
      const { candidates, targets, tags } = readFleet(cloud.world, region, params);
      dryRun(params);
      const fleet: FleetRow = { fleetId: `fleet-${randomUUID()}`, region, createdAt: cloud.clock.now(), isDeleted: false, clientToken, parametersHash: hash, params, launched: [], errors: [], tags };
      const begins: (() => void)[] = [];
      for (const target of targets) fill(cloud, lifecycle, fleet, candidates, target, begins);
      fleets.put(fleet.fleetId, fleet);
      const answer = createdXml(fleet);
      for (const begin of begins) begin();
      return answer;
    },

    DescribeFleets(params, { cloud, region }): Xml {
      const ids = texts(params, 'FleetId');
      // Instant fleets are described by their ids only, and here are no others.
      const rows = findFleets(cloud, region, ids);
      const matching = filterRows(rows, params, { 'fleet-state': (row) => stateOf(cloud, row), 'activity-status': () => 'fulfilled', type: () => 'instant' }, (row) => row.tags);
      dryRun(params);
      const { rows: shown, nextToken } = page(matching, params, (row) => row.fleetId, { least: 1, most: 1000 });
      return { fleetSet: { item: shown.map((row) => fleetXml(cloud, row)) }, nextToken };
    },

    DeleteFleets(params, { cloud, region }): Xml {
      const ids = texts(params, 'FleetId');
      if (ids.length === 0) throw missing('FleetId');
      const ends = flag(params, 'TerminateInstances');
      if (ends === undefined) throw missing('TerminateInstances');
      dryRun(params);
      const { fleets, instances } = ec2Tables(cloud.world);
      const good: Xml[] = [];
      const bad: Xml[] = [];
      for (const fleetId of ids) {
        const row = fleets.get(fleetId);
        if (row?.region !== region) bad.push({ fleetId, error: { code: 'fleetIdDoesNotExist', message: `The fleet ID '${fleetId}' does not exist` } });
        else if (!ends) bad.push({ fleetId, error: { code: 'fleetNotInDeletableState', message: 'Fleets of type instant can be deleted only with their instances (TerminateInstances).' } });
        else {
          const previousFleetState = stateOf(cloud, row);
          row.isDeleted = true;
          fleets.put(fleetId, row);
          for (const id of row.launched.flatMap((part) => part.instanceIds)) {
            const instance = instances.get(id);
            if (instance && instance.state !== 'terminated' && instance.state !== 'shutting-down') lifecycle.terminate(instance, { reason: BY_USER });
          }
          good.push({ fleetId, previousFleetState, currentFleetState: stateOf(cloud, row) });
        }
      }
      return { successfulFleetDeletionSet: { item: good }, unsuccessfulFleetDeletionSet: { item: bad } };
    },
  };
}
