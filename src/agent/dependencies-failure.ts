// Why an installation failed, read from what pip or uv printed: which package, in words a user can act on. Pure; what is not
// recognized is shown as it is by the caller.

export type InstallTrouble =
  | 'disk' | 'memory' | 'unsent' | 'python' | 'tools' | 'network' | 'access' | 'build' | 'conflict' | 'unknown-package' | 'requirements' | 'unknown';

export interface InstallFailure {
  trouble: InstallTrouble;
  /** As the installer names it, with its version when it says so. */
  package?: string;
  /** A clause for a message: lower case, no full stop. */
  why: string;
}

interface Rule {
  trouble: InstallTrouble;
  pattern: RegExp;
  why(groups: Record<string, string>, log: string): string;
  /** Only when the log also shows this. */
  and?: RegExp;
}

const NO_WAY_OUT = /NewConnectionError|NameResolutionError|Temporary failure in name resolution|Network is unreachable|No route to host|ConnectTimeoutError|ReadTimeoutError|ProxyError|Tunnel connection failed|CERTIFICATE_VERIFY_FAILED|certificate verify failed|dns error|tcp connect error|error sending request|tunnel error|failed to lookup address|unsuccessful tunnel|invalid peer certificate/i;
const NAME = String.raw`(?<package>[A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?(?:\s?(?:[=~!<>]=?=?)\s?[\w.*+!,<>=~-]+)?)`;

/** First match wins: what explains other messages stands before them. */
const RULES: Rule[] = [
  { trouble: 'unsent', pattern: /^runctl: cannot install: (?<text>.* did not come to the machine.*)$/m, why: ({ text }) => text! },
  { trouble: 'python', pattern: /^runctl: cannot install: (?<text>(?:Python |train\.python ).*)$/m, why: ({ text }) => text! },
  { trouble: 'tools', pattern: /^runctl: cannot install: (?<text>.*)$/m, why: ({ text }) => text! },
  { trouble: 'disk', pattern: /No space left on device|\[Errno 28\]|os error 28/, why: () => 'the disk of the machine is full' },
  { trouble: 'memory', pattern: /^MemoryError|Cannot allocate memory|\[Errno 12\]/m, why: () => 'the machine ran out of memory' },
  { trouble: 'tools', pattern: /Cannot find command '(?<tool>\w+)'|(?<uvtool>Git) executable not found/, why: ({ tool, uvtool }) => `a package comes from ${tool ?? uvtool!.toLowerCase()}, which is not on the machine` },
  { trouble: 'tools', pattern: /No module named pip\b|ensurepip is not available/, why: () => 'the Python of the machine can make no environment: it has no pip' },
  { trouble: 'requirements', pattern: /Could not open requirements file: .*?: '(?<file>[^']+)'|File not found: `(?<uvfile>[^`]+)`/, why: ({ file, uvfile }) => `there is no ${file ?? uvfile} on the machine` },
  { trouble: 'requirements', pattern: /Invalid requirement: '?(?<line>[^\n]*?)'?(?: \(from|:|\n|$)|Couldn't parse requirement in `[^`]*` at (?<place>[^\n]+)/, why: ({ line, place }) => `a line is no requirement: ${line ?? place}` },
  { trouble: 'requirements', pattern: /THESE PACKAGES DO NOT MATCH THE HASHES[^\n]*\n\s+(?<package>\S+) from/, why: () => 'a package is not the one whose hash is written down' },
  { trouble: 'python', pattern: new RegExp(`Package '${NAME}' requires a different Python: (?<have>[\\d.]+) not in '(?<need>[^']+)'`), why: ({ package: name, have, need }) => `${name} needs Python ${need}, and this is ${have}` },
  { trouble: 'build', pattern: /Failed building wheel for (?<package>\S+)|Failed to build '(?<other>[^']+)'|Failed to build `(?<uv>[^`]+)`|Failed to build installable wheels for (?:some )?pyproject\.toml based projects \((?<some>[^)]+)\)/, why: (found) => `${named(found)} has no wheel for this machine and could not be built there` },
  { trouble: 'build', pattern: /metadata-generation-failed|subprocess-exited-with-error/, why: (_found, log) => `${collecting(log) ?? 'a package'} has no wheel for this machine and could not be built there` },
  { trouble: 'python', pattern: /the (?:current|requested) Python version \((?<have>[^)]+)\) does not satisfy (?<need>Python\S+)/, why: ({ have, need }) => `${need} is required, and this is ${have}` },
  { trouble: 'python', pattern: new RegExp(`No matching distribution found for ${NAME}`), and: /Requires-Python|require a different python version/, why: ({ package: name }) => `no version of ${name} is for the Python of this machine` },
  { trouble: 'conflict', pattern: /Cannot install (?<list>[^\n]*?) because these package versions have conflicting dependencies/, why: ({ list }) => `${list} exclude each other` },
  { trouble: 'conflict', pattern: /ResolutionImpossible|ResolutionTooDeep/, why: () => 'the requirements exclude each other' },
  { trouble: 'access', pattern: /\b(?:401|403)\b[^\n]*(?:Client Error|Unauthorized|Forbidden|Credentials)[^\n]*|HTTP error (?:401|403)/i, and: /^(?![^]*Tunnel connection failed)/, why: () => 'the package index wants credentials, or refuses these' },
  { trouble: 'network', pattern: NO_WAY_OUT, why: (_found, log) => `the machine cannot reach the package index${proxySaid(log)}` },
  { trouble: 'unknown-package', pattern: new RegExp(`No matching distribution found for ${NAME}`), why: ({ package: name }, log) => notFound(name!, log) },
  { trouble: 'unknown-package', pattern: new RegExp(`Could not find a version that satisfies the requirement ${NAME}`), why: ({ package: name }, log) => notFound(name!, log) },
  { trouble: 'unknown-package', pattern: /Because (?<package>[\w.-]+) was not found in the package registry/, why: ({ package: name }) => `the package index has no ${name}` },
  { trouble: 'unknown-package', pattern: /Because there (?:is|are) no versions? of (?<package>[\w.[\]<>=!~,*+-]+)/, why: ({ package: name }) => `the package index has no ${name}` },
  { trouble: 'unknown-package', pattern: /Because only (?<have>[^\n]+?)\s+(?:is|are) available and\s+(?:you require|[^\n]*depends on) (?<package>[\w.[\]<>=!~,*+-]+?),?\s/, why: ({ package: name, have }) => `the package index has no ${name}, only ${have}` },
  { trouble: 'conflict', pattern: /No solution found when resolving/, why: () => 'the requirements exclude each other' },
  { trouble: 'network', pattern: /Failed to (?:fetch|download)[: ]+`(?<package>[^`]+)`/, why: ({ package: name }) => `${name} could not be fetched` },
];

/** `log`: all of it, or its end; `exitCode`: of the installer, as a shell reports it. */
export function explainInstall(log: string, exitCode: number | undefined): InstallFailure {
  // uv breaks its sentences to the width of a terminal.
  const text = log.replace(/\n {6,}(?=\S)/g, ' ');
  for (const { trouble, pattern, why, and } of RULES) {
    const match = pattern.exec(text);
    if (!match || (and && !and.test(text))) continue;
    const found = (match.groups ?? {}) as Record<string, string>;
    const name = trouble === 'build' || trouble === 'network' ? (named(found) ?? (trouble === 'build' ? collecting(text) : wantedOf(text))) : found['package']?.replace(/,?\s*$/, '');
    return { trouble, ...(name === undefined ? {} : { package: name }), why: why(found, text).trim() };
  }
  if (exitCode === 137) return { trouble: 'memory', why: 'the installer was killed; most likely the machine ran out of memory' };
  return { trouble: 'unknown', why: exitCode === undefined ? 'the installer vanished without a word' : `the installer ended with code ${exitCode}` };
}

function named(found: Record<string, string>): string | undefined {
  return found['package'] ?? found['other'] ?? found['uv'] ?? found['some'];
}

function notFound(name: string, log: string): string {
  const versions = /\(from versions: (?!none)([^)]+)\)/.exec(log)?.[1]?.split(', ');
  if (versions) return `the package index has no ${name}; it has ${versions.slice(-3).join(', ')}`;
  return `the package index has no ${name} for this machine`;
}

function collecting(log: string): string | undefined {
  return [...log.matchAll(/^\s*Collecting (\S+)/gm)].at(-1)?.[1];
}

/** What pip was after when it found no way. */
function wantedOf(log: string): string | undefined {
  return new RegExp(`No matching distribution found for ${NAME}`).exec(log)?.groups?.['package'];
}

/** A proxy that refuses may say why, and then it knows better. */
function proxySaid(log: string): string {
  const said = /Tunnel connection failed: (?<why>\d{3} [^'")\n]+)/.exec(log)?.groups?.['why'];
  return said === undefined ? '' : `: ${said.replace(/^\d{3} /, '')}`;
}
