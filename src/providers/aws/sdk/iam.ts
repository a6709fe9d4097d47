// IAM, as far as runctl calls it. Loaded by import() from clients.ts.
import { GetInstanceProfileCommand, IAMClient } from '@aws-sdk/client-iam';

export { IAMClient as Client };

export const operations = { GetInstanceProfile: GetInstanceProfileCommand };
