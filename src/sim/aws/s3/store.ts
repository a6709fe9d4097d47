// The buckets of a world. Rows of buckets live in the world table `s3.buckets` (few, seldom changed), what they hold in a
// journal per bucket under `<world directory>/s3/<bucket id>` (see bucket-index.ts). No HTTP here.
// By design: a change to the buckets is saved at once, since the objects' journal refers to the bucket's row.
import { createHash } from 'node:crypto';
import { readdirSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Table, World } from '../../cloud.ts';
import { BucketIndex } from './bucket-index.ts';
import type { XmlContent } from './xml.ts';

export interface BucketRow {
  /** Names the bucket's directory; a bucket made again under the same name gets a new one. */
  id: string;
  name: string;
  region: string;
  createdMs: number;
  tags: [string, string][];
  /** Settings that were changed, by the query parameter that names them; null: taken away. */
  settings?: Record<string, XmlContent | null>;
}

export class Store {
  readonly buckets: Table<BucketRow>;
  readonly #world: World;
  readonly #indexes = new Map<string, BucketIndex>();

  constructor(world: World) {
    this.#world = world;
    this.buckets = world.table<BucketRow>('s3.buckets');
    // Directories without a row: a bucket was being made or removed when the server died.
    const ids = new Set(this.buckets.values().map((row) => row.id));
    const directory = this.#directory();
    for (const id of existsSync(directory) ? readdirSync(directory) : []) {
      if (!ids.has(id)) rmSync(join(directory, id), { recursive: true, force: true });
    }
  }

  #directory(): string {
    return join(this.#world.directory, 's3');
  }

  index(bucket: BucketRow): BucketIndex {
    let index = this.#indexes.get(bucket.id);
    if (!index) {
      index = new BucketIndex(join(this.#directory(), bucket.id));
      this.#indexes.set(bucket.id, index);
    }
    return index;
  }

  create(name: string, region: string, createdMs: number): void {
    this.buckets.put(name, { id: this.#world.newId('bucket'), name, region, createdMs, tags: [] });
    this.#world.save();
  }

  delete(bucket: BucketRow): void {
    this.buckets.delete(bucket.name);
    this.#world.save();
    this.#indexes.delete(bucket.id);
    rmSync(join(this.#directory(), bucket.id), { recursive: true, force: true });
  }

  /** The canonical user id of the account that owns everything here. */
  get ownerId(): string {
    return createHash('sha256').update(this.#world.accountId).digest('hex');
  }
}

const stores = new WeakMap<World, Store>();

export function storeOf(world: World): Store {
  let store = stores.get(world);
  if (!store) {
    store = new Store(world);
    stores.set(world, store);
  }
  return store;
}

/** The world was emptied: its objects go too. */
export function forgetStore(world: World): void {
  stores.delete(world);
  rmSync(join(world.directory, 's3'), { recursive: true, force: true });
}
