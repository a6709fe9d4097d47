// Keeps SSM's commands: one file each below <world>/ssm, all of them in memory. Not in the world's own file, which is written
// whole at every change: scripts and their output would make each save slow.
// Gaps: the newest 1,000 finished commands are kept, not those of 30 days.
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from '../../cloud.ts';
import { type CommandRow, isFinished } from './rows.ts';

const KEPT = 1_000;

export class CommandStore {
  readonly #world: World;
  #epoch = '';
  #commands = new Map<string, CommandRow>();

  constructor(world: World) {
    this.#world = world;
  }

  get(commandId: string): CommandRow | undefined {
    return this.#open().get(commandId);
  }

  /** Oldest first. */
  values(): CommandRow[] {
    return [...this.#open().values()];
  }

  /** On disk when this returns. */
  put(command: CommandRow): void {
    const commands = this.#open();
    const file = this.#file(command.commandId);
    writeFileSync(`${file}.partial`, JSON.stringify(command), { mode: 0o600 });
    renameSync(`${file}.partial`, file);
    const isNew = !commands.has(command.commandId);
    commands.set(command.commandId, command);
    if (isNew && commands.size > KEPT * 1.2) this.#prune();
  }

  #prune(): void {
    const finished = this.values().filter(isFinished);
    for (const { commandId } of finished.slice(0, Math.max(0, finished.length - KEPT))) {
      this.#commands.delete(commandId);
      rmSync(this.#file(commandId), { force: true });
    }
  }

  #file(commandId: string): string {
    return join(this.#world.directory, 'ssm', this.#epoch, `${commandId}.json`);
  }

  /** The directory carries a name that the world remembers: when the world is emptied its commands are gone too. */
  #open(): Map<string, CommandRow> {
    const table = this.#world.table<{ name: string }>('ssm.history');
    const named = table.get('epoch')?.name;
    if (named !== undefined && named === this.#epoch) return this.#commands;
    this.#epoch = named ?? randomUUID();
    if (named === undefined) table.put('epoch', { name: this.#epoch });
    const home = join(this.#world.directory, 'ssm');
    mkdirSync(join(home, this.#epoch), { recursive: true, mode: 0o700 });
    for (const other of readdirSync(home)) if (other !== this.#epoch) rmSync(join(home, other), { recursive: true, force: true });
    const found = readdirSync(join(home, this.#epoch))
      .filter((name) => name.endsWith('.json'))
      .map((name) => JSON.parse(readFileSync(join(home, this.#epoch, name), 'utf8')) as CommandRow);
    this.#commands = new Map(found.sort((a, b) => a.requestedAt - b.requestedAt).map((command) => [command.commandId, command]));
    return this.#commands;
  }
}
