// Does: the states and status codes of spot requests, with a sentence for each.
// Source: EC2 User Guide "Spot request status" (codes, and the request state that goes with each); messages as seen in public
// issue threads where known, else they say plainly what the code means.
import type { World } from '../../cloud.ts';
import { ec2Tables } from './rows.ts';
import type { InstanceRow } from './rows.ts';
import type { SpotRequestRow, SpotRequestState } from './market-rows.ts';

const MESSAGES = {
  'pending-evaluation': 'Your Spot request has been submitted for review, and is pending evaluation.',
  'pending-fulfillment': 'Your Spot request is pending fulfillment.',
  fulfilled: 'Your spot request is fulfilled.',
  'capacity-not-available': 'There is no Spot capacity available that matches your request.',
  'limit-exceeded': 'Max spot instance count exceeded',
  'bad-parameters': 'Your Spot request failed due to bad parameters.',
  'system-error': 'Your Spot Instance ended because of an error of the system.',
  'schedule-expired': 'Your Spot request expired because it was not fulfilled before its end date.',
  'canceled-before-fulfillment': 'Your Spot request is canceled before it was fulfilled.',
  'request-canceled-and-instance-running': 'Your Spot request is canceled, but your instance is still running.',
  'marked-for-stop': 'Your Spot Instance is marked for stopping.',
  'instance-stopped-by-user': 'Your Spot Instance was stopped due to user-initiated stop.',
  'instance-stopped-by-price': 'Your Spot Instance was stopped because the Spot price rose above your maximum price.',
  'instance-stopped-no-capacity': 'Your Spot Instance was stopped because there is no Spot capacity available for it any more.',
  'instance-terminated-by-user': 'Spot Instance terminated due to user-initiated termination.',
  'instance-terminated-by-price': 'Your Spot Instance was terminated because the Spot price rose above your maximum price.',
  'instance-terminated-no-capacity': 'Your Spot Instance was terminated because there is no Spot capacity available for it any more.',
  'instance-terminated-by-service': 'Your Spot Instance was terminated from a stopped state.',
} as const;

export type SpotStatusCode = keyof typeof MESSAGES | 'price-too-low';

/** Writes the row; a row that a reset took out of the table stays out. */
export function setSpotStatus(world: World, row: SpotRequestRow, at: number, state: SpotRequestState, code: SpotStatusCode, message?: string): void {
  row.state = state;
  row.status = { code, message: message ?? (code === 'price-too-low' ? '' : MESSAGES[code]), at: Math.floor(at / 1000) * 1000 };
  const { spotRequests } = ec2Tables(world);
  if (spotRequests.get(row.requestId) === row) spotRequests.put(row.requestId, row);
}

export function newSpotStatus(code: 'pending-evaluation' | 'fulfilled', at: number): SpotRequestRow['status'] {
  return { code, message: MESSAGES[code], at: Math.floor(at / 1000) * 1000 };
}

const HELD: Record<string, SpotStatusCode> = {
  SpotMaxPriceTooLow: 'price-too-low',
  InsufficientInstanceCapacity: 'capacity-not-available',
  MaxSpotInstanceCountExceeded: 'limit-exceeded',
};

/** The status of a request that was refused with this error and waits; undefined: it can never be fulfilled. */
export function heldCode(errorCode: string): SpotStatusCode | undefined {
  return HELD[errorCode];
}

export function interruptedCode({ interruption }: InstanceRow): SpotStatusCode {
  const byPrice = interruption?.reason === 'price';
  if (interruption?.action === 'terminate') return byPrice ? 'instance-terminated-by-price' : 'instance-terminated-no-capacity';
  return byPrice ? 'instance-stopped-by-price' : 'instance-stopped-no-capacity';
}

export function isHeld(row: SpotRequestRow): boolean {
  return Object.values(HELD).includes(row.status.code as SpotStatusCode);
}

export function isStoppedByMarket(row: SpotRequestRow): boolean {
  return row.status.code === 'instance-stopped-by-price' || row.status.code === 'instance-stopped-no-capacity';
}

export function isTerminatedByMarket(row: SpotRequestRow): boolean {
  return row.status.code === 'instance-terminated-by-price' || row.status.code === 'instance-terminated-no-capacity';
}
