import { GetProductsCommand, PricingClient } from '@aws-sdk/client-pricing';
import { expect, test } from 'vitest';
import { startTestSim } from '../../../../test/support/test-sim.ts';
import { storagePrice } from '../../data/prices.ts';

test('R207 disks and snapshots are sold by the month at the prices that the meter bills, each region its own', async () => {
  const t = await startTestSim();
  const ask = async (fields: Record<string, string>) => {
    const { PriceList } = await t.client(PricingClient).send(new GetProductsCommand({ ServiceCode: 'AmazonEC2', Filters: Object.entries(fields).map(([Field, Value]) => ({ Type: 'TERM_MATCH', Field, Value })) }));
    return PriceList!.map((text: unknown) => {
      const { product, terms } = JSON.parse(String(text)) as { product: { productFamily: string; attributes: Record<string, string> }; terms: { OnDemand: Record<string, { priceDimensions: Record<string, { unit: string; pricePerUnit: { USD: string }; description: string }> }> } };
      const [dimension] = Object.values(Object.values(terms.OnDemand)[0]!.priceDimensions);
      return { family: product.productFamily, usagetype: product.attributes['usagetype'], unit: dimension!.unit, usd: dimension!.pricePerUnit.USD, description: dimension!.description };
    });
  };
  expect(await ask({ productFamily: 'Storage', volumeApiName: 'gp3', regionCode: 'us-east-1' })).toEqual([
    { family: 'Storage', usagetype: 'EBS:VolumeUsage.gp3', unit: 'GB-Mo', usd: '0.0800000000', description: '$0.08 per GB-month of gp3 provisioned storage - US East (N. Virginia)' },
  ]);
  expect(await ask({ volumeApiName: 'gp3', regionCode: 'eu-west-1' })).toMatchObject([{ usagetype: 'EUW1-EBS:VolumeUsage.gp3', usd: '0.0880000000' }]);
  expect(await ask({ productFamily: 'Storage Snapshot', regionCode: 'us-west-2' })).toMatchObject([{ unit: 'GB-Mo', usd: '0.0500000000' }]);
  expect(await ask({ productFamily: 'Storage', regionCode: 'us-east-1' })).toHaveLength(7);
  expect([storagePrice('gp3', 'eu-west-1'), storagePrice('snapshot', 'us-west-2'), storagePrice('floppy', 'us-east-1')]).toEqual([88_000, 50_000, undefined]);
  await t.close();
});
