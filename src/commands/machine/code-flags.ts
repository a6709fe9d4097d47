// What goes to the machine and what is installed there: the same flags for every command that sends code.
import type { Flags, Input } from '../../cli/command.ts';
import type { Config } from '../../config/settings.ts';

export const CODE_FLAGS = {
  includePattern: { kind: 'texts', placeholder: 'GLOB', summary: 'send these too, although ignored or held back (secrets, caches); a pattern as in .gitignore' },
  projectRoot: { kind: 'text', placeholder: 'DIR', summary: "project root (default: the git checkout, else the nearest project file, else the script's directory)" },
  explain: { kind: 'switch', summary: 'say what would go to the machine, what not and by which rule; then stop, before a cloud is asked' },
  install: { kind: 'switch', summary: 'install what the project depends on before the start (default: train.install, else yes)' },
} as const satisfies Flags;

/** The part of a train request that these flags decide. */
export function codeRequest(flags: Input<typeof CODE_FLAGS>['flags'], config: Config): { includePatterns: string[]; projectRoot?: string; install: boolean } {
  return { includePatterns: flags.includePattern, projectRoot: flags.projectRoot, install: flags.install ?? config.train.install };
}
