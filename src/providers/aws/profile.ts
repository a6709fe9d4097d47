// Whether an instance profile can carry SSM: it exists, holds a role, EC2 may assume that role, and the role lets the agent
// connect. Found out before anything billable, because EC2 itself accepts a useless profile and the machine never registers.
// Source: IAM API Reference; Systems Manager User Guide "Configure instance permissions" (what AmazonSSMManagedInstanceCore grants).
import { RunctlError } from '../../core/errors.ts';
import type { AwsApi } from './clients.ts';
import { isAwsCode } from './errors.ts';
import { OWN_ROLE, SSM_CORE_POLICY, trustPolicy } from './policies.ts';

/** What is wrong with a profile, in `data.fault` of the error. */
export type ProfileFault = 'absent' | 'no-role' | 'trust' | 'no-ssm';

export interface ProfileState {
  /** `unknown`: the credentials may not look, so EC2 and the agent will have to tell. */
  outcome: 'ok' | 'unknown';
  role?: string;
  /** Of `unknown`: what could not be checked. */
  why?: string;
}

/** AWS managed policies that let the agent connect. */
const CARRY_SSM = new Set(['AmazonSSMManagedInstanceCore', 'AmazonSSMManagedEC2InstanceDefaultPolicy', 'AmazonSSMFullAccess', 'AmazonEC2RoleforSSM', 'AdministratorAccess', 'PowerUserAccess']);
/** Without this call an agent does not register. */
const REGISTERS = 'ssm:UpdateInstanceInformation';
/** Reasons for which a look at IAM says nothing about the profile itself. */
const CANNOT_LOOK = new Set(['not-permitted', 'throttled', 'endpoint-foreign', 'endpoint-unreachable', 'cloud-refused']);

/** Commands that make a working profile of this name, ready to paste. */
export function profileRecipe(name: string, role = OWN_ROLE): string[] {
  return [
    `aws iam create-role --role-name ${role} --assume-role-policy-document '${JSON.stringify(trustPolicy())}'`,
    `aws iam attach-role-policy --role-name ${role} --policy-arn ${SSM_CORE_POLICY}`,
    `aws iam create-instance-profile --instance-profile-name ${name}`,
    `aws iam add-role-to-instance-profile --instance-profile-name ${name} --role-name ${role}`,
  ];
}

/** Throws profile-missing, with a ProfileFault, for a profile that surely does not work. */
export async function checkProfile(api: AwsApi, name: string, signal?: AbortSignal): Promise<ProfileState> {
  let profile;
  try {
    profile = (await api.iam('GetInstanceProfile', { InstanceProfileName: name }, { signal, subject: name })).InstanceProfile;
  } catch (error) {
    if (error instanceof RunctlError && CANNOT_LOOK.has(error.code)) return { outcome: 'unknown', why: `instance profile ${name} could not be looked at: ${error.code === 'not-permitted' ? 'iam:GetInstanceProfile is not granted' : error.message}` };
    if (isAwsCode(error, 'NoSuchEntity', 'NoSuchEntityException')) {
      throw unfit('absent', name, undefined, `no instance profile ${name}`, 'without one the SSM agent on the machine cannot connect; IAM knows no profile of that name', [
        ...profileRecipe(name),
        "aws iam list-instance-profiles --query 'InstanceProfiles[].InstanceProfileName' --output text",
      ], error);
    }
    throw error;
  }
  const role = profile?.Roles?.[0];
  if (!role) {
    throw unfit('no-role', name, undefined, `instance profile ${name} has no role`, 'a profile is only an envelope: its role gives the rights, and without one the SSM agent cannot connect', profileRecipe(name).filter((line) => !line.includes('create-instance-profile')));
  }
  const roleName = role.RoleName ?? '';
  if (role.AssumeRolePolicyDocument && !trustsEc2(role.AssumeRolePolicyDocument)) {
    throw unfit('trust', name, roleName, `the role ${roleName} of instance profile ${name} does not trust EC2`, 'its trust policy does not let ec2.amazonaws.com assume it, so machines cannot take the role', [
      `aws iam update-assume-role-policy --role-name ${roleName} --policy-document '${JSON.stringify(trustPolicy())}'`,
    ]);
  }
  const why = await missingRights(api, name, roleName, signal);
  return why === undefined ? { outcome: 'ok', role: roleName } : { outcome: 'unknown', role: roleName, why };
}

/** Undefined when the role lets the agent connect, else what could not be checked. Throws when it surely does not. */
async function missingRights(api: AwsApi, profile: string, role: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await api.iam('ListAttachedRolePolicies', { RoleName: role }, { signal, subject: role });
    const attached = answer.AttachedPolicies ?? [];
    if (attached.some(({ PolicyName }) => CARRY_SSM.has(PolicyName ?? ''))) return undefined;
    if (await inlineAllows(api, role, signal)) return undefined;
    const own = attached.filter(({ PolicyArn }) => !/^arn:[\w-]+:iam::aws:/.test(PolicyArn ?? ''));
    if (own.length > 0 || answer.IsTruncated) return `role ${role} has no AmazonSSMManagedInstanceCore; whether ${own.map(({ PolicyName }) => PolicyName).join(', ') || 'its other policies'} lets the SSM agent connect was not looked at`;
  } catch (error) {
    if (error instanceof RunctlError && CANNOT_LOOK.has(error.code)) return `the policies of role ${role} could not be checked: ${error.message}`;
    throw error;
  }
  throw unfit('no-ssm', profile, role, `the role ${role} of instance profile ${profile} does not let the SSM agent connect`, `AmazonSSMManagedInstanceCore is not attached, and no other policy of the role allows ${REGISTERS}`, [
    `aws iam attach-role-policy --role-name ${role} --policy-arn ${SSM_CORE_POLICY}`,
  ]);
}

async function inlineAllows(api: AwsApi, role: string, signal?: AbortSignal): Promise<boolean> {
  const { PolicyNames: names = [] } = await api.iam('ListRolePolicies', { RoleName: role }, { signal, subject: role });
  const documents = await Promise.all(names.map((PolicyName) => api.iam('GetRolePolicy', { RoleName: role, PolicyName }, { signal, subject: role })));
  return documents.some(({ PolicyDocument }) => allows(PolicyDocument ?? '', REGISTERS));
}

/** Whether a policy names the action in an Allow. Conditions and denials are not weighed: this only spares a false alarm. */
export function allows(document: string, action: string): boolean {
  let policy: { Statement?: unknown };
  try {
    policy = JSON.parse(decoded(document)) as typeof policy;
  } catch {
    // A document that cannot be read allows nothing.
    return false;
  }
  const statements = [policy.Statement ?? []].flat() as { Effect?: string; Action?: string | string[] }[];
  return statements.some(({ Effect, Action }) => Effect === 'Allow' && [Action ?? []].flat().some((pattern) => matches(pattern, action)));
}

function matches(pattern: string, action: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i').test(action);
}

function trustsEc2(document: string): boolean {
  return /"ec2\.amazonaws\.com(\.cn)?"/.test(decoded(document));
}

/** IAM hands policies out percent-encoded; some emulators do not. */
function decoded(document: string): string {
  return document.trimStart().startsWith('{') ? document : decodeURIComponent(document);
}

function unfit(fault: ProfileFault, profile: string, role: string | undefined, message: string, cause: string, hints: string[], source?: unknown): RunctlError {
  return new RunctlError('profile-missing', message, {
    cause,
    hints: [...(fault === 'trust' ? [] : [`runctl doctor --fix --iam-instance-profile ${profile}`]), ...hints],
    data: { ...(source instanceof RunctlError ? source.data : {}), fault, profile, ...(role ? { role } : {}) },
    source,
  });
}
