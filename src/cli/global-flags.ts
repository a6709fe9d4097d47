// Flags that every command takes, in one place: same name, same meaning everywhere.
import type { Flags } from './command.ts';

export const GLOBAL_FLAGS = {
  output: { kind: 'text', placeholder: 'FORMAT', summary: 'text, json, jsonl (events and result), or the name of one field such as instance-id' },
  sim: { kind: 'switch', summary: 'use the built-in cloud on this machine: free, nothing leaves it' },
  region: { kind: 'text', placeholder: 'REGION', summary: 'cloud region (else RUNCTL_AWS_REGION, AWS_REGION, .runctl.toml)' },
  config: { kind: 'text', short: 'c', placeholder: 'FILE', summary: 'configuration file (else ./.runctl.toml)' },
  yes: { kind: 'switch', short: 'y', summary: 'answer every question with yes' },
  quiet: { kind: 'switch', short: 'q', summary: 'no progress, only the result and errors' },
  verbose: { kind: 'switch', short: 'v', summary: 'with an error, its code and all that the cloud said' },
  help: { kind: 'switch', short: 'h', summary: 'show help' },
} as const satisfies Flags;

export interface GlobalValues {
  output: string;
  sim: boolean;
  region: string | undefined;
  config: string | undefined;
  yes: boolean;
  quiet: boolean;
  verbose: boolean;
}
