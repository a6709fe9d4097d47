// The Price List API, as far as runctl calls it. Loaded by import() from clients.ts.
import { GetProductsCommand, PricingClient } from '@aws-sdk/client-pricing';

export { PricingClient as Client };

export const operations = { GetProducts: GetProductsCommand };
