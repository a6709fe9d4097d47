// An App as the commands get it, inside the test process: real provider over HTTP to a real pretend cloud with real guests,
// a ledger of its own, every event kept. Tests change the parts that they want to fail.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { realClock } from '../../src/app/clock.ts';
import { worldClock } from '../../src/app/world-clock.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Event } from '../../src/core/events.ts';
import type { Provider, Store } from '../../src/core/ports.ts';
import { newStake } from '../../src/core/stake.ts';
import type { App } from '../../src/engine/app.ts';
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts';
import { createAwsProvider } from '../../src/providers/aws/index.ts';
import { assembleSim } from '../../src/sim/assemble.ts';
import { clockFile } from '../../src/sim/clock-file.ts';
import type { Dial } from '../../src/sim/cloud.ts';
import type { Sim } from '../../src/sim/create-sim.ts';
import { DIALS } from '../../src/sim/dial.ts';

export interface TestApp {
  app: App;
  sim: Sim;
  ledger: Ledger;
  events: Event[];
  /** The project directory; `app.cwd`. */
  project: string;
  provider: Provider;
  /** From here on `app.provider('aws')` is this. */
  use(provider: Provider): void;
  /** First Ctrl-C. */
  interrupt(reason: unknown): void;
  write(path: string, content: string): void;
  /** `state` of every instance that the cloud still shows, by id. */
  machines(): Promise<Record<string, string>>;
  logLines(): string[];
  close(): Promise<void>;
}

export async function openTestApp(options: { dial?: Partial<Dial>; bucket?: string; config?: Record<string, unknown>; base?: string } = {}): Promise<TestApp> {
  const directory = realpathSync(mkdtempSync(join(options.base ?? tmpdir(), 'runctl-app-')));
  const project = join(directory, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'pyproject.toml'), '[project]\nname = "test"\n');
  const sim = await assembleSim({ directory: join(directory, 'sim'), dial: { ...DIALS.instant, ...options.dial }, log: (line) => process.stderr.write(`sim: ${line}\n`) });
  const { accessKeyId, secretAccessKey } = sim.credentials();
  const env = { AWS_ENDPOINT_URL: sim.endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: 'us-east-1', HOME: directory };
  // As with --sim: the time of the pretend cloud, which is real until a test changes `sim.clock`.
  const clock = worldClock(clockFile(join(directory, 'sim')), realClock);
  const aws = createAwsProvider({ region: 'us-east-1', clock, env });
  const ledger = await openLedger(join(directory, 'ledger.sqlite'));
  const { values } = await loadConfig({ cwd: project, env: { HOME: directory }, flags: { ...(options.bucket ? { 'aws.s3_bucket': options.bucket } : {}), ...options.config } });
  const events: Event[] = [];
  const abort = new AbortController();
  let store: Store | undefined;
  if (options.bucket) {
    const { S3Client, CreateBucketCommand } = await import('@aws-sdk/client-s3');
    const s3 = new S3Client({ endpoint: sim.endpoint, region: 'us-east-1', forcePathStyle: true, credentials: sim.credentials() });
    await s3.send(new CreateBucketCommand({ Bucket: options.bucket }));
    s3.destroy();
    store = await aws.store(options.bucket);
  }
  let provider: Provider = aws;
  const app: App = {
    config: values,
    cwd: project,
    clock,
    report: (event) => void events.push(event),
    ask: async () => true,
    signal: abort.signal,
    stake: newStake(),
    ledger: async () => ledger,
    provider: async () => provider,
    store: async () => store,
  };
  return {
    app, sim, ledger, events, project,
    provider: aws,
    use: (other) => (provider = other),
    interrupt: (reason) => abort.abort(reason),
    write(path, content) {
      mkdirSync(dirname(join(project, path)), { recursive: true });
      writeFileSync(join(project, path), content);
    },
    async machines() {
      const rows = sim.cloud.world.table<{ instanceId: string; state: string }>('ec2.instances').values();
      return Object.fromEntries(rows.map((row) => [row.instanceId, row.state]));
    },
    logLines: () => events.flatMap((event) => (event.kind === 'log.line' ? [event.text] : [])),
    async close() {
      aws.close();
      ledger.close();
      await sim.close();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}
