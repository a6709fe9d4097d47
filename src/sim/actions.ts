// What may be done to the pretend cloud from outside, by name: POST /_sim/do/NAME, `sim.call(NAME, body)` inside the same process.
// Each part of the cloud gives its entries here as plain functions of what they work on. A refusal is a RunctlError.
import type { Ec2 } from './aws/ec2/create-ec2.ts';
import { clockAction } from './clock-action.ts';
import type { WorldClock } from './clock.ts';
import type { Cloud } from './cloud.ts';
import { marketActions } from './market/actions.ts';
import { readMeter } from './meter-reading.ts';

/** `body`: as it came from outside, so nothing about it is certain. The answer is plain JSON. */
export type SimAction = (body: unknown) => Promise<object> | object;

export interface ActionParts {
  cloud: Cloud;
  clock: WorldClock;
  ec2: Ec2;
}

export function simActions(parts: ActionParts): Record<string, SimAction> {
  return {
    clock: (body) => clockAction(parts, body),
    bill: () => readMeter(parts.cloud.world, parts.clock.now()),
    ...marketActions(parts.ec2.market),
  };
}
