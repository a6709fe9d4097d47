// Binds command definitions to the App they are handed.
import type { Command, Flags } from '../cli/command.ts';
import type { CommandApp } from '../app/command-app.ts';

/** Gives a command its type while inferring flags; the identity at run time. */
export function defineCommand<const F extends Flags, R>(command: Command<F, R, CommandApp>): Command<F, R, CommandApp> {
  return command;
}
