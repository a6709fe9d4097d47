// What commands are handed: the App of the stories, and beside it the few things only commands touch.
import type { LoadedConfig } from '../config/load.ts';
import type { App } from '../engine/app.ts';
import type { SimControl } from '../sim/daemon.ts';

export interface CommandApp extends App {
  /** The settings with their sources. Throws `config-invalid` when the file is wrong; commands that mend it do not ask. */
  settings(): LoadedConfig;
  env: Record<string, string | undefined>;
  /** `--config`, as typed. */
  configPath: string | undefined;
  /** The built-in cloud of this state directory. */
  sim(): Promise<SimControl>;
}
