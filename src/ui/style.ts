// Emphasis on the terminal, and text made safe for it. Colour obeys NO_COLOR, FORCE_COLOR, CI and pipes (picocolors decides).
import picocolors from 'picocolors';
import { harmless, harmlessLog } from './terminal.ts';

/** Emphasis that vanishes where colour is unwanted, and what makes foreign text safe there. */
export interface Style {
  /** Whether colours are wanted. */
  readonly colour: boolean;
  /** Columns of the terminal; absent: as wide as may be. */
  readonly width?: number;
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  /** Foreign text (tags, names, messages): harmless and without colours of its own on a terminal, byte for byte in a pipe. */
  foreign(text: string): string;
  /** The log of a job: harmless on a terminal, where it keeps its colours; byte for byte in a pipe. */
  log(text: string): string;
  /** All that is about to be written, our own emphasis in it: the net under the two above. Byte for byte in a pipe. */
  safe(text: string): string;
}

export function createStyle(colour: boolean, terminal: boolean, width?: number): Style {
  const c = picocolors.createColors(colour);
  const as = (make: (text: string) => string) => (terminal ? make : (text: string) => text);
  return {
    colour,
    ...(width ? { width } : {}),
    bold: c.bold, dim: c.dim, good: c.green, bad: c.red, warn: c.yellow,
    foreign: as((text) => harmless(text)),
    log: as((text) => harmlessLog(text, colour)),
    safe: as((text) => harmless(text, colour)),
  };
}

/** `850ms`, `3.2s`, `2m05s`, `1h02m`. */
export function formatElapsed(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
  return `${Math.floor(seconds / 3600)}h${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')}m`;
}

/** `512 B`, `4.0 KiB`, `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[unit]}`;
}
