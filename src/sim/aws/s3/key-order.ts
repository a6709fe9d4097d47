// The order in which S3 lists keys: by UTF-8 bytes, which is not the order of JavaScript strings once a key holds a
// character outside the basic plane. Also the sorted array that makes a page of a listing two binary searches.
// By design: one array per bucket in memory; an insert moves pointers, which is quick up to millions of keys.
// Source: S3 API Reference, ListObjectsV2 ("UTF-8 binary order").

/** Negative, zero or positive as `a` comes before, at or after `b` in UTF-8 byte order. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return codeUnitRank(x) - codeUnitRank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for U+10000 and above, so they come after U+E000..U+FFFF. */
function codeUnitRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit <= 0xdfff ? unit + 0x10000 : unit;
}

export class SortedKeys {
  #keys: string[];

  constructor(keys: Iterable<string> = []) {
    this.#keys = [...keys].sort(compareKeys);
  }

  get length(): number {
    return this.#keys.length;
  }

  at(index: number): string | undefined {
    return this.#keys[index];
  }

  /** Index of the first key for which `isBefore` is false; `isBefore` must hold for a prefix of the array. */
  partition(isBefore: (key: string) => boolean): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#keys[middle] as string)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  firstAtOrAfter(key: string): number {
    return this.partition((candidate) => compareKeys(candidate, key) < 0);
  }

  firstAfter(key: string): number {
    return this.partition((candidate) => compareKeys(candidate, key) <= 0);
  }

  /** The first key behind everything that starts with `prefix`. */
  firstBeyondPrefix(prefix: string): number {
    return this.partition((candidate) => compareKeys(candidate.slice(0, prefix.length), prefix) <= 0);
  }

  add(key: string): void {
    const index = this.firstAtOrAfter(key);
    if (this.#keys[index] !== key) this.#keys.splice(index, 0, key);
  }

  delete(key: string): void {
    const index = this.firstAtOrAfter(key);
    if (this.#keys[index] === key) this.#keys.splice(index, 1);
  }
}
