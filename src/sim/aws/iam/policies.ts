// Does: the AWS managed policies that can be attached by name.
// Gaps: their documents; nothing evaluates policies, but SSM looks whether its core policy is attached.
// Source: AWS Managed Policy Reference Guide.

export const MANAGED_POLICIES = new Set(
  [
    'AmazonSSMManagedInstanceCore',
    'AmazonSSMManagedEC2InstanceDefaultPolicy',
    'AmazonSSMFullAccess',
    'AmazonS3FullAccess',
    'AmazonS3ReadOnlyAccess',
    'AmazonEC2FullAccess',
    'AmazonEC2ReadOnlyAccess',
    'AmazonEC2ContainerRegistryReadOnly',
    'CloudWatchAgentServerPolicy',
    'CloudWatchLogsFullAccess',
    'AdministratorAccess',
    'PowerUserAccess',
    'ReadOnlyAccess',
    'service-role/AmazonEC2RoleforSSM',
  ].map((name) => `arn:aws:iam::aws:policy/${name}`),
);
