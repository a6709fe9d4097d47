// The clock by the control surface: what is refused, and what a skip tells of the machines on its way.
import { request } from 'node:http';
import { expect, test } from 'vitest';
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { failure, startTestSim } from '../../test/support/test-sim.ts';

test('R206 a skip tells which machines changed their state and why; nonsense is refused with a command that works', async () => {
  const t = await startTestSim();
  try {
    const { InstanceId: id } = await t.run();
    const skipped = (await t.sim.call('clock', { skipMs: 20_000 })) as { worldTime: string; skippedMs: number; changes: unknown[] };
    expect(skipped).toMatchObject({ worldTime: '2026-01-01T00:00:20.000Z', skippedMs: 20_000, changes: [{ instanceId: id, from: 'pending', to: 'running' }] });
    for (const body of [{ rate: 0 }, { rate: 'fast' }, { rate: 10_001 }, { skipMs: 0 }, { skipMs: -5 }, { skipMs: 1e12 }, { skipMs: null }]) {
      await expect(t.sim.call('clock', body)).rejects.toMatchObject({ code: 'usage', hints: [expect.stringContaining('runctl sim clock')] });
    }
    const post = (path: string, body: string): Promise<{ status: number | undefined; body: Record<string, unknown> }> =>
      new Promise((done, failed) => {
        const call = request({ host: '127.0.0.1', port: t.sim.port, path, method: 'POST', headers: { authorization: `Bearer ${t.sim.controlToken()}` } }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.on('end', () => done({ status: response.statusCode, body: JSON.parse(text) as Record<string, unknown> }));
        });
        call.on('error', failed).end(body);
      });
    expect(await post('/_sim/do/clock', '')).toMatchObject({ status: 200, body: { worldTime: '2026-01-01T00:00:20.000Z' } });
    expect(await post('/_sim/do/clock', '{"rate":-1}')).toMatchObject({ status: 400, body: { code: 'usage' } });
    expect(await post('/_sim/do/clock', '{')).toMatchObject({ status: 400, body: { code: 'usage' } });
    expect(await post('/_sim/do/nothing', '{}')).toMatchObject({ status: 404 });
    expect(await post('/_sim/do/toString', '{}')).toMatchObject({ status: 404 });
  } finally {
    await t.close();
  }
});

test('R206 R208 signatures are good at real time and at that of the world, in which machines live, and at no other', async () => {
  const t = await startTestSim();
  const signedAt = async (at: number): Promise<unknown> => {
    const client = new EC2Client({ endpoint: t.sim.endpoint, region: 'us-east-1', credentials: t.sim.credentials(), maxAttempts: 1, systemClockOffset: at - Date.now() });
    try {
      return await client.send(new DescribeInstancesCommand({}));
    } finally {
      client.destroy();
    }
  };
  try {
    await expect(signedAt(Date.now())).resolves.toBeDefined();
    await expect(signedAt(t.clock.now())).resolves.toBeDefined();
    expect((await failure(signedAt(t.clock.now() + 3_600_000))).name).toMatch(/RequestExpired|RequestTimeTooSkewed|SignatureDoesNotMatch|AuthFailure/);
  } finally {
    await t.close();
  }
});
