// The settings as rows: for `config show` with the values in force, for the docs page and the JSON schema without.
import type { LoadedConfig } from './load.ts';
import { redact } from '../core/secrets.ts';
import { allSettings, variableOf } from './settings.ts';

export interface ShownSetting {
  name: string;
  /** Null when nothing sets it and there is no default. Of variables with telling names (train.env) not the value. */
  value: unknown;
  source: string;
  doc: string;
}

export function showConfig(loaded: LoadedConfig): ShownSetting[] {
  return allSettings().map(({ name, section, key, setting }) => ({
    name,
    value: redact((loaded.values as unknown as Record<string, Record<string, unknown>>)[section]?.[key] ?? null),
    source: loaded.sources[name] ?? 'default',
    doc: setting.doc,
  }));
}

export interface DescribedSetting {
  name: string;
  kind: string;
  fallback: unknown;
  example?: unknown;
  choices?: readonly string[];
  min?: number;
  max?: number;
  variable: string;
  doc: string;
}

export function describeSettings(): DescribedSetting[] {
  return allSettings().map(({ name, setting: { kind, fallback, example, choices, min, max, doc } }) => ({ name, kind, fallback, example, choices, min, max, variable: variableOf(name), doc }));
}
