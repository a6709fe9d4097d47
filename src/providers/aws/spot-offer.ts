// Whether a type is sold as spot at all. Source: EC2 API Reference, InstanceTypeInfo, SupportedUsageClasses.
import type { InstanceTypeInfo } from '@aws-sdk/client-ec2';
import { RunctlError } from '../../core/errors.ts';

/** Also where EC2 does not say: it is tried then. */
export function soldAsSpot(info: InstanceTypeInfo): boolean {
  const classes = info.SupportedUsageClasses ?? [];
  return classes.length === 0 || classes.includes('spot');
}

/** Throws `usage` when none of the types is sold as spot. */
export function requireSpotOffer(infos: InstanceTypeInfo[], types: string[], region: string): void {
  if (infos.some(soldAsSpot)) return;
  const [first = 'TYPE'] = types;
  throw new RunctlError('usage', `${types.join(', ')} ${types.length === 1 ? 'is' : 'are'} not sold as spot in ${region}`, {
    cause: `EC2 offers ${types.length === 1 ? 'this type' : 'these types'} on demand only (SupportedUsageClasses)`,
    hints: [`runctl aws create ${first} --on-demand`, `aws ec2 describe-instance-types --filters Name=supported-usage-class,Values=spot --query 'InstanceTypes[].InstanceType' --output text --region ${region}`],
    data: { types },
  });
}
