// How the code of a project would get to a machine, known before a machine is asked: through the bucket, or through SSM itself,
// which takes small projects only.
import { resolve } from 'node:path';
import { RunctlError } from '../core/errors.ts';
import type { Provider } from '../core/ports.ts';
import { estimatePackedBytes } from '../sync/pack.ts';
import { listTree } from '../sync/plan.ts';
import type { App } from './app.ts';

export interface DirectRoute {
  /** Undefined when the size lies so near the limit that only packing the whole would tell. */
  fits: boolean | undefined;
  /** Packed, perhaps reckoned. */
  packedBytes: number;
  mostBytes: number;
  /** The largest files, for advice. */
  largest: { path: string; sizeBytes: number }[];
}

const MIB = 1024 * 1024;
/** So much is packed to find out; what is larger is reckoned from its parts. */
const SAMPLED_BYTES = 8 * MIB;

/** Whether the project would go through SSM itself. `script`: absent when none is meant yet. */
export async function judgeRoute(app: Pick<App, 'config' | 'cwd' | 'signal'>, directory: string, { script, includePatterns = [] }: { script?: string; includePatterns?: string[] } = {}): Promise<DirectRoute> {
  const mostBytes = app.config.sync.max_direct_mb * MIB;
  const plan = await listTree({
    root: directory,
    script,
    include: [...app.config.sync.include, ...includePatterns],
    exclude: app.config.sync.exclude,
    outputDir: resolve(app.cwd, app.config.local.output_dir),
    signal: app.signal,
  });
  const largest = plan.files.filter(({ sizeBytes }) => sizeBytes * 20 > mostBytes).sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, 3).map(({ path, sizeBytes }) => ({ path, sizeBytes }));
  // A gzip is never larger than this over its content; packing would tell nothing new.
  if (plan.bytes + plan.files.length * 1024 <= mostBytes) return { fits: true, packedBytes: plan.bytes, mostBytes, largest };
  const packedBytes = await estimatePackedBytes(plan, { mostBytes: SAMPLED_BYTES, signal: app.signal });
  if (plan.bytes <= SAMPLED_BYTES) return { fits: packedBytes <= mostBytes, packedBytes, mostBytes, largest };
  const fits = packedBytes * 2 <= mostBytes ? true : packedBytes > mostBytes * 2 ? false : undefined;
  return { fits, packedBytes, mostBytes, largest };
}

/** How long naming the account's buckets may take: the error must not be late for it. */
const BUCKETS_MS = 600;

/** The error for a project that does not fit, with the two lines that help and the buckets that there are. */
export async function tooLarge(app: App, provider: Provider, route: DirectRoute): Promise<RunctlError> {
  const buckets = await knownBuckets(app, provider);
  const largest = route.largest.map(({ path, sizeBytes }) => `${JSON.stringify(path)} ${megabytes(sizeBytes)}`).join(', ');
  return new RunctlError('bucket-missing', `bucket: the project is ${megabytes(route.packedBytes)} packed, too large to send without an S3 bucket`, {
    cause: [
      `Through SSM itself at most ${megabytes(route.mostBytes)} go (sync.max_direct_mb). ${largest === '' ? '' : `Largest files: ${largest}; `}${largest === '' ? 'Leave' : 'leave'} out what the script does not need with sync.exclude.`,
      ...(buckets.length > 0 ? [`This account has the buckets ${buckets.join(', ')}.`] : []),
    ].join('\n'),
    hints: [`[aws]\ns3_bucket = "${buckets[0] ?? 'my-bucket'}"`, ...(buckets[0] ? [`runctl config set aws.s3_bucket ${buckets[0]}`] : []), 'runctl doctor --fix'],
    data: { check: 'bucket', packedBytes: route.packedBytes, mostBytes: route.mostBytes, buckets: buckets },
  });
}

async function knownBuckets(app: App, provider: Provider): Promise<string[]> {
  const late = new AbortController();
  const signal = AbortSignal.any([app.signal, late.signal]);
  const none = (): string[] => [];
  const asked = provider.checks({ advise: ['bucket'] }, signal).then((checks) => checks.flatMap((check) => check.suggestions ?? []), none);
  const buckets = await Promise.race([asked, app.clock.sleep(BUCKETS_MS, signal).then(none, none)]);
  late.abort();
  return buckets;
}

function megabytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
