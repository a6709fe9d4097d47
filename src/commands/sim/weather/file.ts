// A plan of faults as people write it: TOML with [[weather]] tables, or JSON with the same or a bare list.
// What the rules mean is for the built-in cloud to check; here only the file is read.
import { readFile } from 'node:fs/promises';
import { RunctlError } from '../../../core/errors.ts';

/** Throws `config-invalid` for a file that cannot be read or holds no rules. */
export async function readWeatherFile(file: string): Promise<object[]> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    throw new RunctlError('config-invalid', `the weather file ${file} cannot be read`, { cause: (error as Error).message, hints: [`ls -l ${file}`], source: error });
  }
  const parsed = file.endsWith('.json') ? parseJson(content, file) : await parseToml(content, file);
  const rules = Array.isArray(parsed) ? parsed : (parsed as { weather?: unknown }).weather;
  const strangers = Array.isArray(parsed) ? [] : Object.keys(parsed).filter((name) => name !== 'weather');
  if (!Array.isArray(rules) || strangers.length > 0) {
    throw new RunctlError('config-invalid', `${file} is no plan of weather`, {
      cause: strangers.length > 0 ? `it has ${strangers.join(', ')}, which means nothing here` : 'it has no rules',
      hints: [`printf '[[weather]]\\nkind = "throttle"\\noperation = "ssm.SendCommand"\\ntimes = 3\\n' > weather.toml`, 'runctl sim weather load weather.toml'],
    });
  }
  return rules.map((rule: unknown) => (typeof rule === 'object' && rule !== null ? camelKeys(rule) : (rule as object)));
}

function parseJson(content: string, file: string): object {
  try {
    return Object(JSON.parse(content)) as object;
  } catch (error) {
    throw new RunctlError('config-invalid', `${file} is not valid JSON`, { cause: (error as Error).message, hints: [`python3 -m json.tool ${file}`], source: error });
  }
}

async function parseToml(content: string, file: string): Promise<object> {
  const { parse, TomlError } = await import('smol-toml');
  try {
    return parse(content);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new RunctlError('config-invalid', `${file}:${error.line}:${error.column} is not valid TOML`, { cause: error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, ''), hints: [`edit line ${error.line} of ${file}`], source: error });
  }
}

/** `bytes_per_second` and `bytes-per-second` as in settings and on the command line. */
function camelKeys(rule: object): object {
  return Object.fromEntries(Object.entries(rule).map(([name, value]) => [name.replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase()), value]));
}
