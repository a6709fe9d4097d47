// Does: the regions and availability zones of the pretend cloud (names and zone ids).
// Gaps: four regions only; a call signed for another region is refused.
// By design: the zone id order is fixed, on AWS it is shuffled per account.
// Source: EC2 User Guide, "Regions and Zones" and "AZ IDs".

export interface ZoneFact {
  name: string;
  id: string;
}

export interface RegionFact {
  name: string;
  /** As the Price List spells the place. */
  location: string;
  zones: ZoneFact[];
}

function region(name: string, location: string, idPrefix: string, letters: string): RegionFact {
  return { name, location, zones: [...letters].map((letter, index) => ({ name: name + letter, id: `${idPrefix}-az${index + 1}` })) };
}

export const REGIONS: RegionFact[] = [
  region('us-east-1', 'US East (N. Virginia)', 'use1', 'abcdef'),
  region('us-east-2', 'US East (Ohio)', 'use2', 'abc'),
  region('us-west-2', 'US West (Oregon)', 'usw2', 'abcd'),
  region('eu-west-1', 'EU (Ireland)', 'euw1', 'abc'),
];

export function findRegion(name: string): RegionFact | undefined {
  return REGIONS.find((candidate) => candidate.name === name);
}
