// Does: the rows of what instances are bought by: spot requests and interruptions, launch templates, fleets.
// Source: EC2 API Reference, data types SpotInstanceRequest, LaunchTemplateVersion, FleetData.
import type { QueryParams } from '../../wire/call.ts';

/** World times. */
export interface Interruption {
  reason: 'capacity' | 'price';
  action: InterruptionBehavior;
  /** From when on the metadata service recommends to rebalance; undefined: never. */
  rebalanceAt?: number;
  noticeAt: number;
  endAt: number;
}

export type InterruptionBehavior = 'terminate' | 'stop' | 'hibernate';

export type SpotRequestState = 'open' | 'active' | 'closed' | 'cancelled' | 'failed' | 'disabled';

export interface SpotRequestRow {
  requestId: string;
  region: string;
  type: 'one-time' | 'persistent';
  state: SpotRequestState;
  status: { code: string; message: string; at: number };
  fault?: { code: string; message: string };
  maxMicroUsdPerHour: number;
  behavior: InterruptionBehavior;
  createdAt: number;
  /** World time after which an open request is given up. */
  validUntil?: number;
  instanceType: string;
  /** The latest one. */
  instanceId?: string;
  /** Where that was launched. */
  zone?: string;
  /** Parameters of RunInstances for one instance, without market and token: what a later launch does again. */
  launch: QueryParams;
  /** World time before which the market does not look at it again. */
  notBefore?: number;
  tags: Record<string, string>;
}

export interface LaunchTemplateRow {
  templateId: string;
  name: string;
  region: string;
  createdAt: number;
  clientToken?: string;
  defaultVersion: number;
  /** By version number, from 1. `data`: LaunchTemplateData as it came. */
  versions: { number: number; createdAt: number; description?: string; data: QueryParams }[];
  tags: Record<string, string>;
}

export interface FleetRow {
  fleetId: string;
  region: string;
  createdAt: number;
  isDeleted: boolean;
  clientToken?: string;
  parametersHash: string;
  params: QueryParams;
  /** The answer of CreateFleet, for the same token again and for DescribeFleets. */
  launched: FleetPart[];
  errors: FleetPart[];
  tags: Record<string, string>;
}

/** One override of a fleet: what it launched, or why it did not. */
export interface FleetPart {
  lifecycle: 'spot' | 'on-demand';
  template: { id: string; version: string };
  override: { instanceType: string; subnetId?: string; zone?: string; maxPrice?: string };
  instanceIds: string[];
  error?: { code: string; message: string };
}
