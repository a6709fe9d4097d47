// Service Quotas, as far as runctl calls it. Loaded by import() from clients.ts.
import { GetServiceQuotaCommand, ServiceQuotasClient } from '@aws-sdk/client-service-quotas';

export { ServiceQuotasClient as Client };

export const operations = { GetServiceQuota: GetServiceQuotaCommand };
