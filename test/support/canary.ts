// Looking for secrets where they must not be: in every file below a directory, in what commands printed, and in the arguments
// of every process that lives meanwhile. A canary is found as it is, in any base64 around it, in hex and in a URL.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** All the shapes that a text takes on its way: base64 depends on what stands before it, so there are three of those. */
export function shapesOf(canary: string): string[] {
  const bytes = Buffer.from(canary);
  const inBase64 = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before, 0x20), bytes]).toString('base64').replace(/=+$/, '');
    // The first and the last letters hold bits of the neighbours.
    return text.slice(Math.ceil((before * 4) / 3), text.length - 1);
  });
  return [canary, ...inBase64, bytes.toString('hex'), encodeURIComponent(canary)];
}

/** Texts within texts: base64 of base64 (scripts in scripts), gzip in base64. */
export function* layers(text: string, depth = 4): Generator<string> {
  yield text;
  if (depth === 0) return;
  for (const [run] of text.replace(/(?<=[A-Za-z0-9+/]{60})\\?n?\n(?=[A-Za-z0-9+/]{4})/g, '').matchAll(/[A-Za-z0-9+/]{80,}={0,2}/g)) {
    const bytes = Buffer.from(run, 'base64');
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
      try {
        yield* layers(gunzipSync(bytes).toString('latin1'), depth - 1);
      } catch {
        // A part of an archive, or chance.
      }
    } else yield* layers(bytes.toString('latin1'), depth - 1);
  }
}

/** Whether the text holds the canary in any shape, at any depth. */
export function holds(text: string, canary: string): boolean {
  const shapes = shapesOf(canary);
  for (const layer of layers(text)) if (shapes.some((shape) => layer.includes(shape))) return true;
  return false;
}

/** Every plain file below, relative, `but` for directories of these names. */
export function filesBelow(directory: string, but: RegExp = /^$/, prefix = ''): string[] {
  return readdirSync(join(directory, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = join(prefix, entry.name);
    if (but.test(path)) return [];
    return entry.isDirectory() ? filesBelow(directory, but, path) : entry.isFile() ? [path] : [];
  });
}

/** Files below that hold the canary. */
export function filesHolding(directory: string, canary: string, but?: RegExp): string[] {
  return filesBelow(directory, but).filter((path) => holds(readFileSync(join(directory, path), 'latin1'), canary));
}

export interface ArgumentWatch {
  /** Command lines that were seen and that this process does not itself start. */
  seen: Set<string>;
  stop(): void;
}

/** Samples the arguments of all processes of this machine, those in pretend machines included. Linux only. */
export function watchArguments(everyMs = 10): ArgumentWatch {
  const seen = new Set<string>();
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' '));
      } catch {
        // It has ended meanwhile.
      }
    }
  };
  const timer = setInterval(look, everyMs);
  return { seen, stop: () => clearInterval(timer) };
}
