// Codes that buying in the spot market may meet, each refusal with its own text: capacity, price, quota, role, permission, parameter.
// Sources: EC2 API Reference, "Error codes"; EC2 User Guide, "Spot Instance requests", "Service-linked role for Spot Instance
// requests". What a spot request says of itself once it exists is in spot-status.ts.
import { inRegion, inZone, listMachines, named, orWord, PAGES, regionFlag } from './error-row.ts';
import type { ErrorContext, ErrorRow } from './error-row.ts';
import { quotaCode } from './quota-table.ts';

const TYPE = /^[a-z][a-z0-9-]*\.[a-z0-9-]+$/;
const type = (c: ErrorContext): string => orWord(c, TYPE, 'TYPE');
const aboutSpot = (c: ErrorContext): boolean => c.service === 'ec2' && /\bspot/i.test(c.awsMessage);
const TROUBLE = 'no-spot-capacity';
const QUOTAS = 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-limits.html';
const history = (c: ErrorContext): string =>
  `aws ec2 describe-spot-price-history --instance-types ${type(c)} --product-descriptions Linux/UNIX --start-time "$(date -u +%FT%TZ)" --output table${regionFlag(c)}`;
const otherPools = (c: ErrorContext): string => `runctl aws create ${type(c)} --spot --types ${type(c)},TYPE --spot-timeout 5m`;
const onDemand = (c: ErrorContext): string => `runctl aws create ${type(c)} --on-demand`;

/** `0.0374`, where EC2 tells what the machine costs now. */
const asked = (c: ErrorContext): string | undefined => /(?:minimum required Spot request fulfillment price of|fulfillment price of) \$?(\d+\.\d+)/i.exec(c.awsMessage)?.[1];

export const SPOT_ERRORS: ErrorRow[] = [
  {
    codes: ['InsufficientInstanceCapacity', 'InsufficientCapacity', 'UnfulfillableCapacity'],
    as: 'capacity',
    // Launches of spot machines name their zone; EC2's own text for them says so, too.
    when: (c) => aboutSpot(c) || c.zone !== undefined,
    says: (c) => `no spot capacity for ${named(c)}${inZone(c)} now`,
    why: 'Spot machines are spare ones, and of this type none is spare there at this moment. Other zones and types are other stocks; a higher price does not help.',
    hints: (c) => [otherPools(c), onDemand(c)],
    docs: PAGES.spot,
    trouble: TROUBLE,
  },
  {
    codes: ['InsufficientSpotInstanceCapacity', 'SpotInstanceCapacityNotAvailable'],
    as: 'capacity',
    says: (c) => `no spare machine for ${named(c)}${inZone(c)} now`,
    why: 'The spot market of this type is sold out there at this moment. Other zones and types are other stocks.',
    hints: (c) => [otherPools(c), onDemand(c)],
    docs: PAGES.spot,
    trouble: TROUBLE,
  },
  {
    codes: ['SpotMaxPriceTooLow'],
    as: 'capacity',
    refusal: 'price',
    meaning: 'The highest price allowed for a spot machine lies below what it costs.',
    says: (c) => `the highest price allowed for ${named(c)}${inZone(c)} is below its spot price${asked(c) === undefined ? '' : ` of $${asked(c)} per hour`}`,
    why: 'The spot price of a zone moves with the demand there, and EC2 launches at that price or not at all. Without a limit of your own it goes up to the on-demand price, never above.',
    hints: (c) => [...(asked(c) === undefined ? [] : [`runctl aws create ${type(c)} --spot --spot-max-price ${asked(c)}`]), `runctl aws create ${type(c)} --spot   # without a limit of your own: never more than on demand`, history(c)],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances-history.html',
    trouble: TROUBLE,
  },
  {
    codes: ['Unsupported', 'UnsupportedOperation'],
    as: 'capacity',
    when: (c) => c.operation === 'RunInstances' && c.zone !== undefined,
    says: (c) => `${named(c)} is not sold as spot${inZone(c)}`,
    why: 'The type does not exist in that zone, or not as spot, or not with this image.',
    hints: (c) => [`aws ec2 describe-instance-type-offerings --location-type availability-zone --filters Name=instance-type,Values=${type(c)} --query 'InstanceTypeOfferings[].Location' --output text${regionFlag(c)}`, otherPools(c), onDemand(c)],
    docs: PAGES.launch,
    trouble: TROUBLE,
  },
  {
    codes: ['MaxSpotInstanceCountExceeded'],
    as: 'quota',
    says: (c) => `the account's quota of spot vCPUs is used up${inRegion(c)}`,
    why: 'Spot machines have quotas of their own, counted in vCPUs per family of types; running machines and open requests count. Another zone does not help, another family may.',
    hints: (c) => [`aws service-quotas list-service-quotas --service-code ec2 --query "Quotas[?contains(QuotaName,'Spot')].[QuotaCode,QuotaName,Value]" --output text${regionFlag(c)}`, `aws service-quotas request-service-quota-increase --service-code ec2 --quota-code ${quotaCode(c.subject ?? '', 'spot') ?? 'L-34B43A08'} --desired-value 32${regionFlag(c)}`, listMachines(c)],
    docs: QUOTAS,
    trouble: TROUBLE,
  },
  {
    codes: ['MaxSpotFleetRequestCountExceeded'],
    as: 'quota',
    says: (c) => `the account has as many spot fleets as it may have${inRegion(c)}`,
    why: 'Fleets that other tools of the account keep count against a limit per region. runctl makes none.',
    hints: (c) => [`aws ec2 describe-spot-fleet-requests --query 'SpotFleetRequestConfigs[].[SpotFleetRequestId,SpotFleetRequestState]' --output text${regionFlag(c)}`],
    docs: QUOTAS,
    trouble: TROUBLE,
  },
  {
    codes: ['AuthFailure.ServiceLinkedRoleCreationNotPermitted'],
    as: 'not-permitted',
    says: () => 'spot machines need the service-linked role of EC2 Spot, and these credentials may not create it',
    why: 'Once per account somebody with iam:CreateServiceLinkedRole makes the role AWSServiceRoleForEC2Spot; from then on nobody needs that right.',
    hints: () => ['aws iam create-service-linked-role --aws-service-name spot.amazonaws.com'],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/service-linked-roles-spot-instance-requests.html',
  },
  {
    codes: ['UnauthorizedOperation'],
    as: 'not-permitted',
    when: (c) => /spot-instances-request/.test(c.awsMessage),
    says: (c) => `these credentials may launch machines, but not request ${c.subject ?? 'them'} as spot`,
    why: 'A spot launch needs ec2:RunInstances (and ec2:CreateTags) for the resource spot-instances-request as well; a policy written for on-demand machines leaves it out.',
    hints: (c) => ['runctl aws policy caller', onDemand(c)],
    docs: PAGES.denied,
  },
  {
    codes: ['InvalidParameter', 'InvalidParameterValue', 'InvalidParameterCombination', 'InvalidSpotPrice'],
    as: 'cloud-refused',
    when: (c) => c.operation === 'RunInstances' && (aboutSpot(c) || /MaxPrice|InstanceMarketOptions|instanceInterruptionBehavior/i.test(c.awsMessage)),
    says: (c) => `EC2 did not take the spot part of the launch of ${named(c)}`,
    why: 'The highest price must be above 0.001, and what becomes of an interrupted machine must go with the kind of request. The message of AWS names the value.',
    hints: (c) => [`runctl aws create ${type(c)} --spot --dry-run`, 'runctl config show'],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SpotMarketOptions.html',
    trouble: TROUBLE,
  },
  {
    codes: ['InvalidSpotInstanceRequestID.NotFound', 'InvalidSpotInstanceRequestID.Malformed', 'InvalidSpotFleetRequestId.NotFound', 'InvalidSpotDatafeed.NotFound', 'InvalidFleetId.NotFound', 'InvalidFleetId.Malformed', 'InvalidFleetRequestId.NotFound'],
    as: 'not-found',
    says: (c) => `no spot request or fleet ${named(c)}${inRegion(c)}`,
    why: 'Wrong id or region, or it ended long ago. Right after a request EC2 may deny it for seconds.',
    hints: (c) => [`aws ec2 describe-spot-instance-requests --query 'SpotInstanceRequests[].[SpotInstanceRequestId,State,Status.Code,InstanceId]' --output text${regionFlag(c)}`],
    docs: PAGES.spot,
    trouble: TROUBLE,
  },
  {
    codes: ['InvalidFleetConfiguration', 'InvalidFleetConfig', 'InvalidSpotFleetRequestConfig', 'SpotFleetRequestConfigurationInvalid', 'SpotInstanceRequestConfigurationInvalid', 'FleetNotInModifiableState'],
    as: 'cloud-refused',
    says: (c) => `EC2 did not take the spot request for ${named(c)} (${c.awsCode})`,
    why: 'Two parts of the request do not go together: type and image, zone and subnet, price and behaviour.',
    hints: () => ['runctl config show', "aws ec2 describe-spot-instance-requests --query 'SpotInstanceRequests[].Status' --output table"],
    docs: PAGES.spot,
    trouble: TROUBLE,
  },
];
