// Makes and changes config files: `init` and `config set`. What people wrote themselves, comments above all, stays as it was.
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { RunctlError } from '../core/errors.ts';
import { redact } from '../core/secrets.ts';
import { checkConfigText, settingNamed } from './load.ts';
import { findSetting, RENAMED, RETIRED, SECTION_TITLES, SETTINGS, type SettingEntry } from './settings.ts';
import type { Setting } from './kinds.ts';

/** A complete file: every setting with its comment; those without a default are commented out. */
export function renderConfigFile(): string {
  const sections = Object.entries(SETTINGS).map(([section, keys]) => {
    const entries = Object.entries<Setting<unknown>>(keys).map(([key, setting]) => {
      const limits = setting.choices ? ` One of: ${setting.choices.join(', ')}.` : '';
      const optional = setting.fallback === undefined;
      return `# ${setting.doc}${limits}\n${optional ? '# ' : ''}${key} = ${renderValue(optional ? setting.example : setting.fallback)}\n`;
    });
    return `[${section}] # ${SECTION_TITLES[section as keyof typeof SETTINGS]}\n${entries.join('\n')}`;
  });
  return `# Settings of runctl for this project. Each can be left out; flags and RUNCTL_<SECTION>_<KEY> go before this file.\n\n${sections.join('\n')}`;
}

function renderValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(renderValue).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return `{ ${Object.entries(value).map(([key, inner]) => `${key} = ${renderValue(inner)}`).join(', ')} }`.replace('{  }', '{}');
  // JSON's escapes are TOML's, but for DEL, which TOML wants escaped too.
  return JSON.stringify(value).replaceAll('\x7f', '\\u007f');
}

export function initConfig(path: string, { force = false }: { force?: boolean } = {}): void {
  if (!force && existsSync(path)) {
    throw new RunctlError('config-invalid', `${path} exists already`, { cause: 'It may hold settings of yours.', hints: [`runctl init --config-path ${path} --force`, 'runctl config show'], data: { file: path } });
  }
  writeWhole(path, renderConfigFile());
}

export interface ConfigChange {
  name: string;
  /** As it was written; of a variable with a telling name not the value. */
  value: unknown;
  file: string;
  warnings: string[];
}

/** Set one setting (`aws.region`, or `train.env.NAME`) in a file, which is made when it is not there. Checked before anything is written. */
export async function setConfigValue(file: string, name: string, word: string): Promise<ConfigChange> {
  const warnings: string[] = [];
  const { path, value } = meaning(name, word, warnings);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  // A file that is already wrong is not made worse: its error comes first.
  await checkConfigText(before, file, []);
  const after = await edited(before, path, value);
  await checkConfigText(after, file, warnings);
  const shown = (redact({ [path.at(-1)!]: value }) as Record<string, unknown>)[path.at(-1)!];
  writeWhole(file, after, isSame(shown, value) ? 0o644 : 0o600);
  return { name: path.join('.'), value: shown, file, warnings };
}

function meaning(name: string, word: string, warnings: string[]): { path: string[]; value: unknown } {
  const retired = RETIRED[name] ?? RETIRED[name.split('.')[0]!];
  if (retired && !findSetting(name) && !RENAMED[name]) throw new RunctlError('config-invalid', `${name} is not used any more`, { cause: retired, hints: ['runctl config show'], data: { key: name } });
  if (RENAMED[name]) warnings.push(`${name} is now called ${RENAMED[name]}`);
  const [section = '', key = '', ...inner] = (RENAMED[name] ?? name).split('.');
  const whole = findSetting(`${section}.${key}`);
  if (whole?.setting.kind === 'table' && inner.length > 0) return { path: [section, key, inner.join('.')], value: (checked(whole, { [inner.join('.')]: word }, word) as Record<string, string>)[inner.join('.')] };
  const entry = settingNamed(RENAMED[name] ?? name);
  return { path: [section, key], value: checked(entry, entry.setting.fromWord(word), word) };
}

function checked(entry: SettingEntry, value: unknown, word: string): unknown {
  const answer = entry.setting.check(value);
  if ('value' in answer) return answer.value;
  throw new RunctlError('config-invalid', entry.setting.kind === 'table' ? `${entry.name} cannot be set so` : `${entry.name} cannot be ${JSON.stringify(word)}`, { cause: `It must be ${answer.wanted}.`, hints: [`runctl config set ${entry.name} VALUE`], data: { key: entry.name } });
}

async function edited(before: string, path: string[], value: unknown): Promise<string> {
  const { parse } = await import('smol-toml');
  const tables = parse(before) as Record<string, unknown>;
  let at = tables;
  for (const name of path.slice(0, -1)) at = (at[name] ??= {}) as Record<string, unknown>;
  at[path.at(-1)!] = value;
  for (const candidate of placed(before, path, value)) {
    if (parses(parse, candidate) && isSame(parse(candidate), tables)) return candidate;
  }
  const { patch } = await import('@decimalturn/toml-patch');
  const patched = patch(before, tables);
  const after = patched.endsWith('\n') ? patched : `${patched}\n`;
  if (!isSame(parse(after), tables)) throw new Error(`editing the config file went wrong for ${path.join('.')}`);
  return after;
}

/**
 * Where a person would write a key that is not there yet: in the place of the commented-out example that `init` left, else
 * below the section's last key, so that a comment above the next section stays with that section. Only proposals:
 * each counts when it parses to what is wanted.
 */
function* placed(before: string, [section, ...keys]: string[], value: unknown): Generator<string> {
  const key = keys.map((name) => (/^[\w-]+$/.test(name) ? name : JSON.stringify(name))).join('.');
  const lines = before.split('\n');
  const start = lines.findIndex((line) => new RegExp(`^\\s*\\[\\s*${section}\\s*\\]`).test(line));
  if (start < 0) return;
  const length = lines.slice(start + 1).findIndex((line) => /^\s*\[/.test(line));
  const end = length < 0 ? lines.length : start + 1 + length;
  const line = `${key} = ${renderValue(value)}`;
  const example = lines.findIndex((text, i) => i > start && i < end && text.startsWith(`# ${key} = `));
  if (example >= 0) yield lines.with(example, line).join('\n');
  const last = lines.findLastIndex((text, i) => i < end && i >= start && /^\s*[^#\s]/.test(text));
  yield lines.toSpliced(last + 1, 0, line).join('\n');
}

function parses(parse: (content: string) => unknown, content: string): boolean {
  try {
    parse(content);
    return true;
  } catch {
    return false;
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]));
}

/** All of it or nothing; a link stays a link, the mode stays; `newMode` is for a file that was not there. */
function writeWhole(path: string, content: string, newMode = 0o644): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const target = existsSync(path) ? realpathSync(path) : path;
    const mode = existsSync(target) ? statSync(target).mode & 0o777 : newMode;
    const temporary = `${target}.${process.pid}.tmp`;
    try {
      writeFileSync(temporary, content, { mode });
      renameSync(temporary, target);
    } finally {
      rmSync(temporary, { force: true });
    }
  } catch (error) {
    throw new RunctlError('config-invalid', `${path} cannot be written`, { cause: (error as Error).message, hints: [`ls -ld ${path}`, 'df -h .'], source: error });
  }
}
