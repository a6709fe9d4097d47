// How this computer installs Python packages, for machines that may do the same: the settings of pip and uv, as variables and as
// files, and the hosts that they name. Read only when the owner opens the way out; may hold credentials of an index.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface IndexSettings {
  /** For the environment of machines. */
  variables: Record<string, string>;
  /** Text by path below the home of machines. */
  files: Record<string, string>;
  /** `host:port` of every index. */
  reachable: Set<string>;
}

const ALWAYS = ['pypi.org:443', 'files.pythonhosted.org:443'];
/** `PIP_CONFIG_FILE` and the like name files that machines may not see: their content is brought along instead. */
const CARRIED = /^(PIP|UV)_(?!CONFIG_FILE$|CACHE_DIR$|PROXY$|PYTHON|PROJECT|TARGET$|PREFIX$|USER$|LOG$|NO_PROGRESS$|SYSTEM_PYTHON$|TOOL_)/;
const CERTIFICATES = ['SSL_CERT_FILE', 'SSL_CERT_DIR', 'REQUESTS_CA_BUNDLE'];

export function readIndexSettings(env: Record<string, string | undefined>): IndexSettings {
  const variables = Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && (CARRIED.test(entry[0]) || CERTIFICATES.includes(entry[0]))));
  const home = env['HOME'] ?? '/';
  const config = env['XDG_CONFIG_HOME'] || join(home, '.config');
  const files: Record<string, string> = {};
  const take = (path: string, candidates: (string | undefined)[]): void => {
    const text = candidates.map((file) => (file ? readText(file) : undefined)).find((one) => one !== undefined);
    if (text !== undefined) files[path] = text;
  };
  take('.config/pip/pip.conf', [env['PIP_CONFIG_FILE'], join(config, 'pip/pip.conf'), join(home, '.pip/pip.conf'), join(home, 'Library/Application Support/pip/pip.conf')]);
  take('.config/uv/uv.toml', [env['UV_CONFIG_FILE'], join(config, 'uv/uv.toml')]);
  const reachable = new Set(ALWAYS);
  for (const text of [...Object.values(variables), ...Object.values(files), readText('/etc/pip.conf') ?? '']) for (const host of hostsIn(text)) reachable.add(host);
  return { variables, files, reachable };
}

function hostsIn(text: string): string[] {
  return [...text.matchAll(/https:\/\/[^\s"'<>]+/g)].flatMap(([match]) => {
    if (!URL.canParse(match)) return [];
    const { hostname, port } = new URL(match);
    return [`${hostname}:${port || 443}`];
  });
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
