// Does: the whole pretend cloud with real machines: EC2, IAM, STS, Pricing, Quotas, SSM, S3, metadata.
// By design: one function; the daemon and tests build the same cloud.
import { join } from 'node:path';
import { metadataService } from './aws/imds/imds.ts';
import { s3 } from './aws/s3/s3.ts';
import { forgetStore } from './aws/s3/store.ts';
import { createSsm } from './aws/ssm/create-ssm.ts';
import type { WorldClock } from './clock.ts';
import type { Cloud, Dial } from './cloud.ts';
import { type Sim, createSim } from './create-sim.ts';
import type { DialName } from './dial.ts';
import type { Isolation } from './machine/isolation.ts';
import { openMachineHost } from './machine/machine-host.ts';
import { runtimeDirectory } from './machine/runtime-directory.ts';

export interface AssembleOptions {
  /** State of this world; made when absent. */
  directory: string;
  dial: DialName | Dial;
  clock?: WorldClock;
  port?: number;
  /** Absent: the best that the kernel allows. */
  isolation?: Isolation;
  /** Machines reach the package indexes of this computer. */
  internet?: boolean;
  onStop?(): void;
  log(line: string): void;
}

export async function assembleSim(options: AssembleOptions): Promise<Sim> {
  let cloud: Cloud | undefined;
  return createSim({
    ...options,
    socketPath: join(runtimeDirectory(options.directory), 'sim.sock'),
    machines: ({ port, socketPath, clock }) =>
      openMachineHost({
        world: options.directory,
        serverPort: port,
        serverSocket: socketPath as string,
        clock,
        isolation: options.isolation,
        internet: options.internet,
        // Guests ask for metadata only once they run, which is after the cloud was made.
        metadata: (instanceId) => (request, response) => metadataService(cloud as Cloud, instanceId)(request, response),
      }),
    parts: (made) => {
      cloud = made;
      const ssm = createSsm(made, options.log);
      return [
        { service: ssm.service, resume: () => ssm.resume(), reset: () => ssm.forget(), close: () => ssm.close() },
        { service: s3, reset: () => forgetStore(made.world) },
      ];
    },
  });
}
