// The door of this provider: what the wiring and commands/aws may import.
export { createAwsProvider } from './aws-provider.ts';
export type { AwsExtras, AwsProviderOptions } from './aws-provider.ts';
