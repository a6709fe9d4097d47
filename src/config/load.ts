// Finds and reads .runctl.toml and lays environment and flags over it: defaults < file < environment < flags.
// Every value knows where it came from. Writes nothing.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { RunctlError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { checkTables, type FileValue } from './check.ts';
import { allSettings, findSetting, variableOf, type Config, type SettingEntry } from './settings.ts';

export const CONFIG_FILE = '.runctl.toml';

export interface LoadOptions {
  cwd: string;
  env: Record<string, string | undefined>;
  /** From `--config`: must exist, and nothing else is looked for. */
  explicitPath?: string;
  /** By dotted name; undefined means not given. */
  flags?: Record<string, unknown>;
}

export interface LoadedConfig {
  values: Config;
  /** By dotted name: `default`, `flag`, `RUNCTL_AWS_REGION`, or `/path/.runctl.toml:3`. */
  sources: Record<string, string>;
  /** The file that was read, if any. */
  file?: string;
  warnings: string[];
}

export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const file = findConfigFile(options);
  const warnings: string[] = [];
  const fromFile = file === undefined ? new Map<string, FileValue>() : await readConfigFile(file, warnings);
  const values: Record<string, Record<string, unknown>> = {};
  const sources: Record<string, string> = {};
  for (const entry of allSettings()) {
    const { value, source } = pick(entry, fromFile, options, file);
    (values[entry.section] ??= {})[entry.key] = value;
    sources[entry.name] = source;
  }
  warnings.push(...misspelledVariables(options.env));
  return { values: values as Config, sources, file, warnings };
}

/** Parse and check one file. Shared with `config validate` and `config set`. */
export async function readConfigFile(file: string, warnings: string[]): Promise<Map<string, FileValue>> {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    throw new RunctlError('config-invalid', `the config file ${file} cannot be read`, { cause: (error as Error).message, hints: [`ls -l ${file}`], source: error });
  }
  return checkConfigText(content, file, warnings);
}

export async function checkConfigText(content: string, file: string, warnings: string[]): Promise<Map<string, FileValue>> {
  const { parse, TomlError } = await import('smol-toml');
  try {
    return checkTables(parse(content), content, file, warnings);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = '', ...rest] = error.message.split('\n');
    throw new RunctlError('config-invalid', `${file}:${error.line}:${error.column} is not valid TOML`, {
      cause: [first.replace(/^Invalid TOML document: /, ''), ...rest].join('\n').trimEnd(),
      hints: [`edit line ${error.line} of ${file}`],
      data: { file, line: error.line },
      source: error,
    });
  }
}

function pick(entry: SettingEntry, fromFile: Map<string, FileValue>, options: LoadOptions, file: string | undefined): { value: unknown; source: string } {
  const flag = options.flags?.[entry.name];
  if (flag !== undefined) return { value: checked(entry, flag, 'on the command line'), source: 'flag' };
  const variables = entry.name === 'aws.region' ? [variableOf(entry.name), 'AWS_REGION', 'AWS_DEFAULT_REGION'] : [variableOf(entry.name)];
  for (const variable of variables) {
    const word = options.env[variable];
    if (word) return { value: checked(entry, entry.setting.fromWord(word), `in the environment variable ${variable}`), source: variable };
  }
  const found = fromFile.get(entry.name);
  if (found) return { value: found.value, source: found.line === undefined ? file! : `${file}:${found.line}` };
  return { value: structuredClone(entry.setting.fallback), source: 'default' };
}

function checked(entry: SettingEntry, value: unknown, where: string): unknown {
  const answer = entry.setting.check(value);
  if ('value' in answer) return answer.value;
  throw new RunctlError('config-invalid', `${entry.name} is ${JSON.stringify(value)} ${where}`, { cause: `It must be ${answer.wanted}.`, hints: [`runctl config set ${entry.name} VALUE`, 'runctl config show'], data: { key: entry.name } });
}

function findConfigFile({ cwd, env, explicitPath }: LoadOptions): string | undefined {
  if (explicitPath !== undefined) {
    const file = resolve(cwd, explicitPath);
    if (existsSync(file)) return file;
    throw new RunctlError('config-invalid', `the config file ${file} does not exist`, { hints: [`runctl init --config-path ${explicitPath}`], data: { file } });
  }
  for (const directory of searchedDirectories(resolve(cwd))) {
    const file = join(directory, CONFIG_FILE);
    if (existsSync(file)) return file;
  }
  const user = join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'runctl', 'config.toml');
  return existsSync(user) ? user : undefined;
}

/** From cwd up to the checkout's root. Never into a directory where others may put a file, which would choose our bucket. */
function searchedDirectories(cwd: string): string[] {
  const directories = [cwd];
  for (let directory = cwd; !existsSync(join(directory, '.git')); ) {
    const parent = dirname(directory);
    if (parent === directory || statSync(parent).mode & 0o002) break;
    directories.push(parent);
    directory = parent;
  }
  return directories;
}

/** RUNCTL_AWS_REGOIN would be ignored in silence otherwise. */
function misspelledVariables(env: Record<string, string | undefined>): string[] {
  const known = allSettings().map((entry) => variableOf(entry.name));
  return Object.keys(env).flatMap((variable) => {
    const prefix = /^RUNCTL_[A-Z]+_/.exec(variable)?.[0];
    if (prefix === undefined || known.includes(variable)) return [];
    // Only the part after RUNCTL_AWS_ is compared: the common beginning would make everything look alike.
    const siblings = known.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    const meant = nearest(variable.slice(prefix.length), siblings);
    return meant === undefined ? [] : [`the environment variable ${variable} means nothing to runctl: ${prefix}${meant}?`];
  });
}

/** The settings' own words, for messages elsewhere. */
export function settingNamed(name: string): SettingEntry {
  const entry = findSetting(name);
  if (entry) return entry;
  const meant = nearest(name, allSettings().map((candidate) => candidate.name));
  throw new RunctlError('config-invalid', `there is no setting ${name}`, { hints: [meant ? `runctl config set ${meant} VALUE` : 'runctl config show'], data: { key: name } });
}
