// All AWS error codes that runctl can word: five tables, and the search in them. A row with a condition goes before those without.
import { docsOf } from '../../core/errors.ts';
import type { ErrorContext, ErrorRow } from './error-row.ts';
import { ACCESS_ERRORS } from './errors-access.ts';
import { LAUNCH_ERRORS } from './errors-launch.ts';
import { MACHINE_ERRORS } from './errors-machine.ts';
import { SERVICE_ERRORS } from './errors-services.ts';
import { SPOT_ERRORS } from './errors-spot.ts';

export const ERROR_TABLE: readonly ErrorRow[] = [...SPOT_ERRORS, ...ACCESS_ERRORS, ...LAUNCH_ERRORS, ...MACHINE_ERRORS, ...SERVICE_ERRORS];

const ROWS = new Map<string, ErrorRow[]>();
for (const row of ERROR_TABLE) for (const code of row.codes) ROWS.set(code, [...(ROWS.get(code) ?? []), row]);

/** AWS prefixes some codes with the namespace of the service's model; state reasons with who was to blame. */
export const bareCode = (code: string): string => code.replace(/^.*#/, '').replace(/^(?:Server|Client)\.(?=[A-Z])/, '');

/** Every row about a code: those with a condition first. Also found without the "Exception" that some services append. */
export function rowsOf(code: string): ErrorRow[] {
  const bare = bareCode(code);
  const rows = ROWS.get(bare) ?? ROWS.get(bare.replace(/Exception$/, '')) ?? ROWS.get(`${bare}Exception`) ?? [];
  return [...rows].sort((a, b) => Number(b.when !== undefined) - Number(a.when !== undefined));
}

export function rowFor(context: ErrorContext): ErrorRow | undefined {
  return rowsOf(context.awsCode).find((row) => row.when?.(context) ?? true);
}

/** Our own page about a row, as a path from the project's root. */
export function docsOfRow(row: ErrorRow): string {
  return row.trouble === undefined ? docsOf(row.as) : `docs/troubleshooting.md#${row.trouble}`;
}

export const ALL_AWS_CODES: readonly string[] = [...ROWS.keys()].sort();

/** How a row reads with nothing known but its code: for `runctl explain` and the pages. */
export function sample(code: string, row: ErrorRow): ErrorContext {
  const service = row.docs.includes('/AmazonS3/') ? 's3' : row.docs.includes('/systems-manager/') ? 'ssm' : row.docs.includes('/IAM/') && row.as === 'profile-missing' ? 'iam' : 'ec2';
  return { service, operation: 'the call', awsCode: code, awsMessage: '' };
}
