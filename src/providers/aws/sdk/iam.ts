// IAM, as far as runctl calls it. Loaded by import() from clients.ts.
import {
  AddRoleToInstanceProfileCommand,
  AttachRolePolicyCommand,
  CreateInstanceProfileCommand,
  CreateRoleCommand,
  GetInstanceProfileCommand,
  GetRolePolicyCommand,
  IAMClient,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';

export { IAMClient as Client };

export const operations = {
  AddRoleToInstanceProfile: AddRoleToInstanceProfileCommand,
  AttachRolePolicy: AttachRolePolicyCommand,
  CreateInstanceProfile: CreateInstanceProfileCommand,
  CreateRole: CreateRoleCommand,
  GetInstanceProfile: GetInstanceProfileCommand,
  GetRolePolicy: GetRolePolicyCommand,
  ListAttachedRolePolicies: ListAttachedRolePoliciesCommand,
  ListRolePolicies: ListRolePoliciesCommand,
  PutRolePolicy: PutRolePolicyCommand,
};
