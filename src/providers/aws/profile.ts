// Whether an instance profile can carry SSM: it exists, holds a role, and EC2 may assume that role. Found out before anything
// billable, because EC2 itself accepts a useless profile and the machine then never registers.
import { RunctlError } from '../../core/errors.ts';
import type { AwsApi } from './clients.ts';
import { isAwsCode } from './errors.ts';

/** Commands that make a working profile of this name, ready to paste. */
export function profileRecipe(name: string, role = 'runctl-ssm-role'): string[] {
  const trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}';
  return [
    `aws iam create-role --role-name ${role} --assume-role-policy-document '${trust}'`,
    `aws iam attach-role-policy --role-name ${role} --policy-arn arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore`,
    `aws iam create-instance-profile --instance-profile-name ${name}`,
    `aws iam add-role-to-instance-profile --instance-profile-name ${name} --role-name ${role}`,
  ];
}

/** Throws profile-missing unless the profile works. `unknown`: the credentials may not look, so EC2 will have to tell. */
export async function checkProfile(api: AwsApi, name: string, signal?: AbortSignal): Promise<'ok' | 'unknown'> {
  let profile;
  try {
    profile = (await api.iam('GetInstanceProfile', { InstanceProfileName: name }, { signal, subject: name })).InstanceProfile;
  } catch (error) {
    if (error instanceof RunctlError && error.code === 'not-permitted') return 'unknown';
    if (isAwsCode(error, 'NoSuchEntity', 'NoSuchEntityException')) {
      throw new RunctlError('profile-missing', `no instance profile ${name}`, {
        cause: 'without one the SSM agent on the machine cannot connect; IAM knows no profile of that name',
        hints: [...profileRecipe(name), "aws iam list-instance-profiles --query 'InstanceProfiles[].InstanceProfileName' --output text"],
        data: (error as RunctlError).data,
        source: error,
      });
    }
    throw error;
  }
  const role = profile?.Roles?.[0];
  if (!role) {
    throw new RunctlError('profile-missing', `instance profile ${name} has no role`, {
      cause: 'a profile is only an envelope: its role gives the rights, and without one the SSM agent cannot connect',
      hints: profileRecipe(name).filter((line) => !line.includes('create-instance-profile')),
    });
  }
  if (role.AssumeRolePolicyDocument && !trustsEc2(role.AssumeRolePolicyDocument)) {
    throw new RunctlError('profile-missing', `the role ${role.RoleName} of instance profile ${name} does not trust EC2`, {
      cause: 'its trust policy does not name ec2.amazonaws.com, so machines cannot take the role',
      hints: [
        `aws iam update-assume-role-policy --role-name ${role.RoleName} --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'`,
      ],
    });
  }
  return 'ok';
}

/** IAM hands the policy out percent-encoded; some emulators do not. */
function trustsEc2(document: string): boolean {
  const text = document.trimStart().startsWith('{') ? document : decodeURIComponent(document);
  return /"ec2\.amazonaws\.com(\.cn)?"/.test(text);
}
