// The process edge: argv, exit code. Help and version are answered here; everything else is loaded only when a command runs.
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { version } from '../package.json';
import { cacheDirectory } from './app/places.ts';
import { tolerateBrokenPipes } from './broken-pipe.ts';
import { renderCommandHelp, renderGroupHelp, renderRootHelp } from './cli/help.ts';
import { type Resolution, resolveWords } from './cli/words.ts';
import { WORDS } from './commands/index.ts';
import { useCompileCache } from './compile-cache.ts';

async function main(argv: string[]): Promise<number> {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  let found: Resolution;
  try {
    found = resolveWords(argv, WORDS);
  } catch (error) {
    return (await import('./command-line.ts')).tellError(error, argv);
  }
  if (found.kind === 'group') {
    const text = found.words === '' ? renderRootHelp(WORDS, version) : renderGroupHelp(found.words, WORDS);
    // Asked for, it is the result; otherwise it explains what is missing.
    (found.help ? process.stdout : process.stderr).write(text);
    return found.help ? 0 : 1;
  }
  if (found.help) {
    process.stdout.write(renderCommandHelp(found.words, found.entry, await found.entry.load()));
    return 0;
  }
  const bundle = dirname(realpathSync(process.argv[1] as string));
  useCompileCache(join(cacheDirectory(process.env), 'compiled'), bundle);
  const { runCommandLine } = await import('./command-line.ts');
  return runCommandLine(found, argv, bundle);
}

tolerateBrokenPipes();
const argv = process.argv.slice(2);
main(argv)
  .catch(async (error: unknown) => (await import('./command-line.ts')).tellError(error, argv))
  .then((exitCode) => {
    process.exitCode = exitCode;
  });
