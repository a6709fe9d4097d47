// Holds a parsed config file against the list of settings: unknown names, wrong types, names of the earlier tool.
// All that is wrong is told at once, with its line.
import { RunctlError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { allSettings, findSetting, RENAMED, RETIRED, SETTINGS } from './settings.ts';

export interface FileValue {
  value: unknown;
  line?: number;
}

interface Problem {
  line?: number;
  what: string;
  hint?: string;
}

/** Values by dotted name. Throws `config-invalid`; what only deserves a warning is pushed onto `warnings`. */
export function checkTables(tables: Record<string, unknown>, content: string, file: string, warnings: string[]): Map<string, FileValue> {
  const found = new Map<string, FileValue>();
  const problems: Problem[] = [];
  const at = (line: number | undefined): string => (line === undefined ? file : `${file}:${line}`);
  for (const [section, keys] of Object.entries(tables)) {
    const sectionLine = lineOf(content, section);
    if (!(section in SETTINGS) && !isKnownOfOld(section)) {
      problems.push(unknownSection(section, keys, sectionLine));
      continue;
    }
    if (typeof keys !== 'object' || keys === null || Array.isArray(keys)) {
      problems.push({ line: sectionLine, what: `${section} is ${shown(keys)}, but it is a section`, hint: `[${section}]` });
      continue;
    }
    if (!(section in SETTINGS) && RETIRED[section] && !Object.keys(keys).some((key) => `${section}.${key}` in RETIRED)) warnings.push(`${at(sectionLine)}: [${section}] is not used: ${RETIRED[section]}`);
    for (const [key, value] of Object.entries(keys)) {
      const written = `${section}.${key}`;
      const line = lineOf(content, section, key);
      const retired = RETIRED[written] ?? (section in SETTINGS ? undefined : RETIRED[section]);
      const name = RENAMED[written] ?? written;
      const entry = findSetting(name);
      if (entry === undefined) {
        if (RETIRED[written]) warnings.push(`${at(line)}: ${written} is not used: ${RETIRED[written]}`);
        else if (retired === undefined) problems.push(unknownKey(written, section, line));
        continue;
      }
      if (name !== written) {
        warnings.push(`${at(line)}: ${written} is now called ${name}`);
        if (hasOwn(tables, name)) continue; // The new name wins.
      }
      const answer = entry.setting.check(value);
      if ('value' in answer) found.set(name, { value: answer.value, line });
      else problems.push({ line, what: `${written} is ${shown(value)}; it must be ${answer.wanted}` });
    }
  }
  if (problems.length > 0) throw invalid(problems, file);
  return found;
}

function invalid(problems: Problem[], file: string): RunctlError {
  const place = ({ line, what }: Problem): string => `${line === undefined ? file : `${file}:${line}`}: ${what}`;
  const [first, ...rest] = problems as [Problem, ...Problem[]];
  return new RunctlError('config-invalid', place(first), {
    cause: rest.length > 0 ? `Also wrong: ${rest.map(place).join('; ')}` : undefined,
    hints: [...new Set([...problems.flatMap((problem) => problem.hint ?? []), 'runctl config validate'])],
    data: { file, line: first.line, problems: problems.map(({ line, what }) => ({ line, what })) },
  });
}

function unknownSection(section: string, keys: unknown, line: number | undefined): Problem {
  const isSection = typeof keys === 'object' && keys !== null;
  const homes = allSettings().filter((entry) => entry.key === section);
  if (!isSection && homes[0]) return { line, what: `${section} stands outside of any section`, hint: `[${homes[0].section}]\n${section} = ${shown(keys)}` };
  const meant = nearest(section, Object.keys(SETTINGS));
  return { line, what: `there is no section [${section}]`, hint: meant ? `[${meant}]` : `sections are ${Object.keys(SETTINGS).join(', ')}` };
}

function unknownKey(written: string, section: string, line: number | undefined): Problem {
  const key = written.slice(section.length + 1);
  const elsewhere = allSettings().find((entry) => entry.key === key);
  const here = allSettings().filter((entry) => entry.section === section).map((entry) => entry.key);
  const close = nearest(key, here);
  const meant = close ? `${section}.${close}` : elsewhere?.name;
  return { line, what: `there is no setting ${written}${meant ? `: ${meant}?` : ''}`, hint: meant ? `runctl config set ${meant} VALUE` : `settings of [${section}] are ${here.join(', ') || 'none'}` };
}

function isKnownOfOld(section: string): boolean {
  return section in RETIRED || Object.keys({ ...RETIRED, ...RENAMED }).some((name) => name.startsWith(`${section}.`));
}

function hasOwn(tables: Record<string, unknown>, name: string): boolean {
  const [section = '', key = ''] = name.split('.');
  const table = tables[section];
  return typeof table === 'object' && table !== null && Object.hasOwn(table, key);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/**
 * The line of a section's header or of a key in it, from the text: the parser does not say. Finds the usual ways of
 * writing it, undefined otherwise, so that a message never points to a wrong line.
 */
export function lineOf(content: string, section: string, key?: string): number | undefined {
  const name = (word: string): string => `["']?${word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}["']?`;
  const header = new RegExp(`^\\s*\\[+\\s*${name(section)}\\s*[\\].]`);
  const bare = new RegExp(`^\\s*${name(section)}\\s*[=.]`);
  const inside = key === undefined ? undefined : new RegExp(`^\\s*${name(key)}\\s*[=.]`);
  const subtable = key === undefined ? undefined : new RegExp(`^\\s*\\[\\s*${name(section)}\\s*\\.\\s*${name(key)}\\s*[\\].]`);
  const dotted = key === undefined ? undefined : new RegExp(`^\\s*${name(section)}\\s*(\\.\\s*${name(key)}\\s*[=.]|=\\s*\\{.*[{,]?\\s*${name(key)}\\s*[=.])`);
  let current: 'root' | 'here' | 'elsewhere' = 'root';
  for (const [index, line] of content.split(/\r?\n/).entries()) {
    if (/^\s*\[/.test(line) && /\]\s*(#.*)?$/.test(line)) {
      current = header.test(line) ? 'here' : 'elsewhere';
      if (key === undefined ? current === 'here' : subtable!.test(line)) return index + 1;
    } else if (current === 'root' && (key === undefined ? bare : dotted!).test(line)) return index + 1;
    else if (current === 'here' && inside?.test(line)) return index + 1;
  }
  return undefined;
}
