// One command line from words to exit code: joins grammar, wiring and terminal. Whatever is thrown ends here, and only here.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '../package.json';
import { createApp } from './app/create-app.ts';
import { stateDirectory } from './app/places.ts';
import { abortOnSignals } from './app/signals.ts';
import { whenReaderIsGone } from './broken-pipe.ts';
import type { Passed } from './cli/command.ts';
import { execute } from './cli/execute.ts';
import type { GlobalValues } from './cli/global-flags.ts';
import { type Format, parseFormat, renderError } from './cli/output.ts';
import { completeHint } from './cli/hints.ts';
import { parseInput } from './cli/parse.ts';
import type { Resolution } from './cli/words.ts';
import { EXIT, RunctlError } from './core/errors.ts';
import { createRedactor } from './core/secrets.ts';
import { type Stake, describeStake, newStake } from './core/stake.ts';
import { createAsk } from './ui/ask.ts';
import { type Reporter, jsonlReporter, silentReporter, textReporter } from './ui/reporter.ts';
import { type Style, createStyle } from './ui/style.ts';

type Found = Extract<Resolution, { kind: 'command' }>;

export async function runCommandLine(found: Found, argv: readonly string[], bundleDirectory: string): Promise<number> {
  let reporter: Reporter = silentReporter();
  const complete = (hint: string): string => completeHint(hint, argv);
  let close = async (): Promise<void> => {};
  try {
    const command = await found.entry.load();
    const { input, globals } = await parseInput(command, found.words, found.args, found.rest);
    const format = parseFormat(globals.output);
    reporter = reporterFor(format, globals);
    const stake = newStake();
    const { signal, interrupt, finish } = abortOnSignals((exitCode) => {
      reporter.end();
      tellError(leftAtOnce(stake), argv);
      process.exit(exitCode);
    });
    // Whoever only looked is done when nobody reads; a story is interrupted, so that it says what it leaves, and cleans up.
    whenReaderIsGone(() => (stake.abandon ? interrupt('nobody reads the output any more') : process.exit(EXIT.done)));
    const built = await createApp({
      cwd: process.cwd(),
      env: process.env,
      report: (event) => reporter.report(event.kind === 'note' && event.hints ? { ...event, hints: event.hints.map(complete) } : event),
      completeHint: complete,
      ask: createAsk({ yes: globals.yes, input: () => process.stdin, output: process.stderr, signal, interrupt: () => interrupt('interrupted by Ctrl-C') }),
      signal,
      stake,
      sim: globals.sim,
      region: globals.region,
      configPath: globals.config,
      bundleDirectory,
    });
    close = async () => {
      finish();
      await built.close();
    };
    return await execute({ command, input, globals, format, app: built.app, reporter, style: styleOf(process.stdout), write, pass });
  } catch (error) {
    reporter.end();
    return tellError(error, argv);
  } finally {
    await close();
  }
}

/** The second Ctrl-C: no time to ask or to clean up, but what was known is said, and written down. */
function leftAtOnce(stake: Stake): RunctlError {
  const { facts, hints } = describeStake(stake);
  try {
    stake.abandon?.();
  } catch {
    facts.push('This could not be written down.');
  }
  const nothing = stake.machineId === undefined || stake.settled ? ['Nothing is known to be left running.'] : [];
  return new RunctlError('interrupted', 'left at once', {
    cause: [...(facts.length > 0 ? facts : nothing)].join(' '),
    hints: [...hints, ...(stake.abandon ? [`runctl runs show ${stake.runId}`] : ['runctl runs list'])],
    data: stake.machineId === undefined ? undefined : { machine: stake.machineId },
  });
}

/** Errors obey --output too, even those of a command line that could not be parsed. Returns the exit code. */
export function tellError(error: unknown, argv: readonly string[]): number {
  const known = error instanceof RunctlError ? error : bug(error, argv);
  known.hints.splice(0, Infinity, ...known.hints.map((hint) => completeHint(hint, argv)));
  process.stderr.write(createRedactor(process.env)(renderError(known, formatIn(argv), styleOf(process.stderr), isVerbose(argv))));
  return error instanceof RunctlError ? error.exitCode : EXIT.bug;
}

/** Anything else that is thrown is our mistake: one line, and a file with the details. */
function bug(error: unknown, argv: readonly string[]): RunctlError {
  const details = createRedactor(process.env)(error instanceof Error ? (error.stack ?? error.message) : String(error));
  let file = 'no file could be written';
  try {
    const directory = join(stateDirectory(process.env), 'bugs');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    file = join(directory, `${Date.now()}-${process.pid}.txt`);
    writeFileSync(file, `runctl ${version}, node ${process.version}, ${process.platform}\n${argv.filter((word) => word.startsWith('-') === false).slice(0, 2).join(' ')}\n${details}\n`, { mode: 0o600 });
  } catch {
    // The disk may be the trouble; the first line still reaches the user.
  }
  return new RunctlError('bug', `this is a bug in runctl: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`, { cause: `Details: ${file}`, hints: ['runctl runs list   (is anything left running?)'] });
}

function isVerbose(argv: readonly string[]): boolean {
  const own = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  return own.includes('--verbose') || own.includes('-v');
}

function formatIn(argv: readonly string[]): Format {
  const at = argv.findIndex((word) => word === '--output' || word.startsWith('--output='));
  const value = at < 0 ? undefined : argv[at]!.includes('=') ? argv[at]!.slice('--output='.length) : argv[at + 1];
  return value === 'json' || value === 'jsonl' ? { kind: value } : { kind: 'text' };
}

function reporterFor(format: Format, { quiet }: GlobalValues): Reporter {
  if (format.kind === 'jsonl') return jsonlReporter(process.stdout, createRedactor(process.env));
  const terminal = process.stderr.isTTY === true;
  // A program that reads JSON from us finds nothing on stderr but, when something is wrong, one JSON document.
  if (quiet || (format.kind === 'json' && !terminal)) return silentReporter();
  return textReporter(process.stderr, styleOf(process.stderr), terminal && !process.env['CI'], createRedactor(process.env), () => process.stderr.columns || undefined);
}

function styleOf(stream: NodeJS.WriteStream): Style {
  const terminal = stream.isTTY === true;
  const { NO_COLOR, FORCE_COLOR, CI } = process.env;
  return createStyle(!NO_COLOR && (FORCE_COLOR !== undefined && FORCE_COLOR !== '0' ? true : terminal && !CI), terminal, terminal ? stream.columns : undefined);
}

async function write(text: string | Uint8Array, stream: NodeJS.WriteStream = process.stdout): Promise<void> {
  if (stream.write(text)) return;
  await new Promise<void>((resolve) => stream.once('drain', resolve));
}

/** Byte for byte in a pipe; on a terminal without what would take it over. */
async function pass({ stream, bytes, text }: Passed): Promise<void> {
  const target = process[stream];
  await write(target.isTTY ? styleOf(target).log(text) : bytes, target);
}
