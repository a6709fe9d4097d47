// The door of this provider: what the wiring and commands/aws may import.
export { createAwsProvider } from './aws-provider.ts';
