// Does: StartInstances, StopInstances, TerminateInstances, RebootInstances.
// Gaps: hibernation.
// By design: every id is checked before any instance is touched, so a call changes all or none.
// Source: EC2 User Guide "Stop and start", "Terminate", "Reboot"; texts of IncorrectInstanceState and OperationNotPermitted
// as quoted in public issue threads.
import type { Cloud } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { CallContext, QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { findInstanceType } from '../../data/instance-types.ts';
import { quotaOf } from '../../data/quotas.ts';
import { requiredInstances } from './instance-ids.ts';
import { BY_USER } from './lifecycle.ts';
import type { Lifecycle } from './lifecycle.ts';
import { dryRun, flag } from './params.ts';
import { stateXml } from './render-instance.ts';
import type { InstanceRow } from './rows.ts';
import type { SpotRequests } from './spot-requests.ts';
import { spotCountExceeded, vcpuLimitExceeded, vcpuRoom } from './vcpu-quota.ts';

/** Refuse the whole call before anything changes, then change each and report both states. */
function change(params: QueryParams, { cloud, region }: CallContext, refuse: (row: InstanceRow) => void, act: (row: InstanceRow) => void, refuseAll?: (rows: InstanceRow[]) => void): Xml {
  const rows = requiredInstances(cloud, region, params);
  for (const row of rows) refuse(row);
  refuseAll?.(rows);
  dryRun(params);
  return {
    instancesSet: {
      item: rows.map((row) => {
        const previousState = stateXml(row.state);
        act(row);
        return { instanceId: row.instanceId, currentState: stateXml(row.state), previousState };
      }),
    },
  };
}

function incorrectState(message: string): AwsFault {
  return new AwsFault('IncorrectInstanceState', message);
}

/** Instances that one call starts together count together. */
function refuseOverQuota(cloud: Cloud, rows: InstanceRow[]): void {
  for (const { region, type, spot } of rows) {
    const market = spot ? 'spot' : 'on-demand';
    const room = vcpuRoom(cloud, region, type, market);
    const family = quotaOf(type, market);
    const needed = rows.filter((row) => (row.spot !== undefined) === (spot !== undefined) && quotaOf(row.type, market) === family).reduce((sum, row) => sum + (findInstanceType(row.type)?.vcpus ?? 0), 0);
    if (room && needed > room.left) throw spot ? spotCountExceeded() : vcpuLimitExceeded(room.limit);
  }
}

export function changeStateOperations(lifecycle: Lifecycle, spot: SpotRequests): QueryService['operations'] {
  return {
    StartInstances: (params, context) =>
      change(
        params,
        context,
        (row) => {
          if (row.state === 'stopping' || row.state === 'shutting-down' || row.state === 'terminated') {
            throw incorrectState(`The instance '${row.instanceId}' is not in a state from which it can be started.`);
          }
          if (row.state === 'stopped') spot.refuseStart(row);
        },
        (row) => {
          if (row.state === 'stopped') lifecycle.start(row);
        },
        (rows) => refuseOverQuota(context.cloud, rows.filter((row) => row.state === 'stopped')),
      ),

    StopInstances: (params, context) => {
      if (flag(params, 'Hibernate')) throw new AwsFault('UnsupportedHibernationConfiguration', 'The pretend cloud does not hibernate instances.');
      const skipOsShutdown = flag(params, 'SkipOsShutdown') ?? flag(params, 'Force') ?? false;
      return change(
        params,
        context,
        (row) => {
          if (row.state === 'pending') throw incorrectState(`The instance '${row.instanceId}' is not in a state from which it can be stopped.`);
          if (row.state === 'shutting-down' || row.state === 'terminated') {
            throw incorrectState(`This instance '${row.instanceId}' is not in a state from which it can be stopped.`);
          }
          if (row.spot?.persistent === false) {
            throw new AwsFault(
              'UnsupportedOperation',
              `You can't stop the Spot Instance '${row.instanceId}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.`,
            );
          }
          if (row.state === 'running' && row.disableApiStop) {
            throw new AwsFault('OperationNotPermitted', `The instance '${row.instanceId}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.`);
          }
        },
        (row) => {
          if (row.state === 'running') lifecycle.stop(row, { reason: BY_USER, skipOsShutdown });
        },
      );
    },

    TerminateInstances: (params, context) => {
      const skipOsShutdown = flag(params, 'SkipOsShutdown') ?? flag(params, 'Force') ?? false;
      return change(
        params,
        context,
        (row) => {
          if (row.state !== 'terminated' && row.disableApiTermination) {
            throw new AwsFault(
              'OperationNotPermitted',
              `The instance '${row.instanceId}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
            );
          }
        },
        (row) => {
          if (row.state !== 'terminated' && row.state !== 'shutting-down') lifecycle.terminate(row, { reason: BY_USER, skipOsShutdown });
        },
      );
    },

    RebootInstances(params, { cloud, region }): Xml {
      const rows = requiredInstances(cloud, region, params);
      for (const row of rows) {
        if (row.state !== 'running') throw incorrectState(`The instance '${row.instanceId}' is not in a state from which it can be rebooted.`);
      }
      dryRun(params);
      // EC2 answers at once; the reboot happens in its own time.
      for (const row of rows) void lifecycle.reboot(row);
      return { return: true };
    },
  };
}
