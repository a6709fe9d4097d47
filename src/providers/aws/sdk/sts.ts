// STS, as far as runctl calls it. Loaded by import() from clients.ts.
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';

export { STSClient as Client };

export const operations = { GetCallerIdentity: GetCallerIdentityCommand };
