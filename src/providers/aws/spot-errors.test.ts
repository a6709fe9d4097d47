// Why a spot machine was refused: each reason with a text, a cause and a remedy of its own.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AwsDouble } from '../../../test/support/aws-double.ts';
import { spotDouble } from '../../../test/support/spot-double.ts';
import { ec2Error } from '../../../test/support/wire-double.ts';
import { explain, topics } from '../../commands/explain.ts';
import { RunctlError } from '../../core/errors.ts';
import type { MachinePlan } from '../../core/machine.ts';
import { rowFor } from './error-table.ts';
import { SPOT_STATUS, readableStatus } from './spot-status.ts';

/** Code, message and status as EC2 sends them; the code of runctl that it becomes; what a reader must find. */
const REFUSALS: [kind: string, code: string, message: string, status: number, as: string, says: RegExp][] = [
  ['capacity', 'InsufficientInstanceCapacity', 'There is no Spot capacity available that matches your request.', 500, 'capacity', /^no spot capacity for t3\.micro in us-east-1c now$/],
  ['capacity, as one that names no market', 'InsufficientInstanceCapacity', 'We currently do not have sufficient t3.micro capacity in the Availability Zone you requested (us-east-1c).', 500, 'capacity', /^no spot capacity for t3\.micro in us-east-1c now$/],
  ['price', 'SpotMaxPriceTooLow', 'Your Spot request price of 0.001 is lower than the minimum required Spot request fulfillment price of 0.0374.', 400, 'capacity', /highest price allowed for t3\.micro in us-east-1c is below its spot price of \$0\.0374 per hour/],
  ['quota', 'MaxSpotInstanceCountExceeded', 'Max spot instance count exceeded', 400, 'quota', /quota of spot vCPUs is used up in us-east-1$/],
  ['role', 'AuthFailure.ServiceLinkedRoleCreationNotPermitted', 'The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances.', 403, 'not-permitted', /service-linked role of EC2 Spot/],
  ['permission for the request', 'UnauthorizedOperation', 'You are not authorized to perform this operation. User: arn:aws:iam::1:user/a is not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:us-east-1:1:spot-instances-request/*', 403, 'not-permitted', /may launch machines, but not request t3\.micro as spot/],
  ['permission for something else', 'UnauthorizedOperation', 'User: arn:aws:iam::1:user/a is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r', 403, 'not-permitted', /lack iam:PassRole/],
  ['parameter of spot', 'InvalidParameterCombination', "The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to 'stop'.", 400, 'cloud-refused', /did not take the spot part of the launch of t3\.micro/],
  ['parameter elsewhere', 'InvalidParameterValue', 'Invalid value for VolumeSize', 400, 'cloud-refused', /did not accept a value in RunInstances for t3\.micro/],
  ['zone', 'Unsupported', 'Your requested instance type (t3.micro) is not supported in your requested Availability Zone (us-east-1c).', 400, 'capacity', /t3\.micro is not sold as spot in us-east-1c/],
  ['addresses', 'InsufficientFreeAddressesInSubnet', 'There are not enough free addresses in subnet', 400, 'capacity', /no free address/],
  ['token', 'IdempotentParameterMismatch', 'The client token you have provided is associated with a resource', 400, 'cloud-refused', /asked for before with other parameters/],
];

describe('R019 a launch that EC2 refuses', () => {
  let double: AwsDouble;
  let plan: MachinePlan;
  beforeAll(async () => {
    double = await spotDouble();
    plan = await double.provider.plan({ type: 't3.micro', market: 'spot', tags: { 'runctl:run': 'r' } });
  });
  afterAll(() => double.close());
  const refused = async (code: string, message: string, status: number): Promise<RunctlError> => {
    double.wire.on('RunInstances', ec2Error(code, message, status));
    return double.provider.create(plan, 't').then(() => Promise.reject(new Error('it was bought')), (error: unknown) => error as RunctlError);
  };

  test.each(REFUSALS)('R019 %s (%s) says so', async (_kind, code, message, status, as, says) => {
    const error = await refused(code, message, status);
    expect(error).toMatchObject({ code: as, message: expect.stringMatching(says) as string, reason: expect.stringContaining(message) as string, topic: code });
    expect(error.hints.length).toBeGreaterThan(0);
    expect(error.hints.join('\n')).not.toMatch(/undefined|  --/);
    expect(error.docs).toMatch(/^https:\/\/docs\.aws\.amazon\.com\//);
    // Only a price says that it is about the price: the next zone may be cheaper.
    expect(error.data?.['refusal']).toBe(code === 'SpotMaxPriceTooLow' ? 'price' : undefined);
  });

  test('R019 no two reasons read the same, nor have the same remedies', async () => {
    const distinct = REFUSALS.filter(([kind]) => !kind.startsWith('capacity,'));
    const errors: RunctlError[] = [];
    for (const [, code, message, status] of distinct) errors.push(await refused(code, message, status));
    expect(new Set(errors.map((error) => error.message)).size).toBe(distinct.length);
    const remedies = errors.filter((error) => error.code !== 'not-permitted').map((error) => error.hints.join('\n'));
    expect(new Set(remedies).size).toBe(remedies.length);
  });

  test('R019 the price that EC2 asks is in the command to paste', async () => {
    expect((await refused('SpotMaxPriceTooLow', 'Your Spot request price of 0.001 is lower than the minimum required Spot request fulfillment price of 0.0374.', 400)).hints[0]).toBe('runctl aws create t3.micro --spot --spot-max-price 0.0374');
    expect((await refused('SpotMaxPriceTooLow', 'too low', 400)).message).toBe('the highest price allowed for t3.micro in us-east-1c is below its spot price');
  });
});

test('R019 the quota to raise is that of the type and of the market', () => {
  const hints = (awsCode: string, subject?: string): string => {
    const context = { service: 'ec2', operation: 'RunInstances', awsCode, awsMessage: '', ...(subject === undefined ? {} : { subject }) };
    return rowFor(context)!.hints(context).join('\n');
  };
  expect(hints('MaxSpotInstanceCountExceeded', 'g5.xlarge')).toContain('--quota-code L-3819A6DF ');
  expect(hints('VcpuLimitExceeded', 'g5.xlarge')).toContain('--quota-code L-DB2E81BA ');
  expect(hints('VcpuLimitExceeded')).toContain('--quota-code L-1216C47A ');
});

/** EC2 User Guide, "Spot request status", and codes seen beside it. */
const DOCUMENTED = 'pending-evaluation bad-parameters capacity-not-available price-too-low not-scheduled-yet launch-group-constraint az-group-constraint placement-group-constraint constraint-not-fulfillable capacity-oversubscribed limit-exceeded schedule-expired canceled-before-fulfillment system-error pending-fulfillment fulfilled marked-for-stop marked-for-termination instance-stopped-by-user instance-terminated-by-user spot-instance-terminated-by-user request-canceled-and-instance-running instance-stopped-by-price instance-stopped-no-capacity instance-terminated-by-price instance-terminated-no-capacity instance-terminated-by-service instance-terminated-by-schedule instance-terminated-launch-group-constraint instance-terminated-by-experiment marked-for-stop-by-experiment instance-stopped-by-experiment'.split(' ');

describe('R019 what a spot request says of itself', () => {
  test.each(DOCUMENTED)('R019 %s has a text, a cause and a command, by runctl explain too', (code) => {
    const known = SPOT_STATUS.get(code)!;
    expect(known.says).toMatch(/^[a-zA-Z].+[^.]$/);
    expect(known.why).toMatch(/\.$/);
    expect(known.hints.length).toBeGreaterThan(0);
    expect(explain(code)).toMatchObject({ topic: code, kind: 'aws', meaning: known.says, causes: [known.why], remedies: expect.arrayContaining(known.hints) as string[] });
    expect(topics().aws).toContain(code);
  });

  test('R019 a price that is too low is not explained as a want of capacity', () => {
    expect(explain('SpotMaxPriceTooLow').meaning).toBe('The highest price allowed for a spot machine lies below what it costs.');
  });

  test('R019 no two of them read the same', () => {
    const texts = [...SPOT_STATUS.values()].map(({ says }) => says);
    expect(texts.filter((text, n) => texts.indexOf(text) !== n)).toEqual([]);
  });

  test('EC2\'s own words serve where a status is new, and nothing where there is none', () => {
    expect(readableStatus('capacity-not-available', 'There is no capacity.')).toBe('there is no spare machine of this type in this zone now (capacity-not-available)');
    expect(readableStatus('brand-new', 'What EC2 says.')).toBe('brand-new: What EC2 says.');
    expect(readableStatus('brand-new', undefined)).toBe('brand-new');
    expect(readableStatus(undefined, '')).toBeUndefined();
    expect(readableStatus('constructor', undefined)).toBe('constructor');
  });
});
