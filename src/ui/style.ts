// Emphasis on the terminal, and text made safe for it. Colour obeys NO_COLOR, FORCE_COLOR, CI and pipes (picocolors decides).
import picocolors from 'picocolors';

/** Emphasis that vanishes where colour is unwanted. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  /** Foreign text (logs, tags): made harmless on a terminal, byte for byte in a pipe. */
  foreign(text: string): string;
}

export function createStyle(colour: boolean, terminal: boolean): Style {
  const c = picocolors.createColors(colour);
  return { bold: c.bold, dim: c.dim, good: c.green, bad: c.red, warn: c.yellow, foreign: terminal ? harmless : (text) => text };
}

// Everything that could move the cursor, set a title or ring: C0 but tab and newline, DEL, C1.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const ANSI = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;

/** Text from a machine, a tag or a file name, harmless on a terminal. Newlines and tabs stay. */
export function harmless(text: string): string {
  return text.replace(ANSI, '').replace(CONTROL, '');
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
