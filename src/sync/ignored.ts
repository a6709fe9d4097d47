// Which rule of git's ignore files speaks of a path, as git decides it: .gitignore files from the path's own directory up to
// the top of the checkout, then info/exclude, then core.excludesFile. Outside of a checkout .gitignore files count alike.
import { join } from 'node:path';
import { type Checkout, aboveOf, checkoutAround, checkoutAt, ignoreSettings, readIfThere, trackedBelow } from './checkout.ts';
import { parentOf, type Rule, RuleList } from './ignore-rules.ts';

/** The rules that hold in one tree. Paths are relative to `root`, in latin1. */
export class IgnoreFiles {
  /** Between the top of the checkout and `root`: '' or 'a/b/'. */
  private readonly above: string;
  private readonly top: string;
  private readonly general: RuleList[] = [];
  private readonly ignoreCase: boolean = false;
  private readonly lists = new Map<string, RuleList | undefined>();
  private readonly verdicts = new Map<string, Rule | undefined>();

  /** A directory that the checkout around it ignores, and yet it is what was asked for, has only its own rules; unless some of it is tracked. */
  static ofTree(root: string): IgnoreFiles {
    const files = new IgnoreFiles(root, checkoutAround(root));
    return files.rootIgnored && trackedBelow(root).size === 0 ? new IgnoreFiles(root, undefined) : files;
  }

  private constructor(root: string, checkout: Checkout | undefined) {
    this.top = checkout?.directory ?? root;
    this.above = checkout ? aboveOf(checkout, root) : '';
    if (checkout === undefined) return;
    const settings = ignoreSettings(checkout);
    this.ignoreCase = settings.ignoreCase;
    for (const file of settings.files) {
      const text = readIfThere(file);
      if (text) this.general.push(new RuleList(text.toString('latin1'), { file, ignoreCase: this.ignoreCase }));
    }
  }

  /** The rule by which git ignores the path, or a directory above it. Undefined when it is not ignored. */
  ruleFor(path: string, isDirectory: boolean): Rule | undefined {
    return this.fromTop(this.above + path, isDirectory);
  }

  private get rootIgnored(): boolean {
    return this.above !== '' && this.fromTop(this.above.slice(0, -1), true) !== undefined;
  }

  private fromTop(path: string, isDirectory: boolean): Rule | undefined {
    const parent = parentOf(path);
    const inherited = parent === '' ? undefined : this.ofDirectory(parent);
    if (inherited) return inherited;
    return isDirectory ? this.ofDirectory(path) : this.own(path, false);
  }

  private ofDirectory(path: string): Rule | undefined {
    if (!this.verdicts.has(path)) {
      const parent = parentOf(path);
      this.verdicts.set(path, (parent === '' ? undefined : this.ofDirectory(parent)) ?? this.own(path, true));
    }
    return this.verdicts.get(path);
  }

  private own(path: string, isDirectory: boolean): Rule | undefined {
    for (let directory = parentOf(path); ; directory = parentOf(directory)) {
      const rule = this.listOf(directory)?.decide(path, isDirectory);
      if (rule) return rule.negated ? undefined : rule;
      if (directory === '') break;
    }
    for (const list of this.general.toReversed()) {
      const rule = list.decide(path, isDirectory);
      if (rule) return rule.negated ? undefined : rule;
    }
    return undefined;
  }

  private listOf(directory: string): RuleList | undefined {
    if (!this.lists.has(directory)) {
      const file = join(this.top, Buffer.from(directory, 'latin1').toString('utf8'), '.gitignore');
      const text = readIfThere(Buffer.concat([Buffer.from(`${this.top}/`), Buffer.from(directory === '' ? '' : `${directory}/`, 'latin1'), Buffer.from('.gitignore')]), { plain: true });
      const list = text && new RuleList(text.toString('latin1'), { base: directory, file, ignoreCase: this.ignoreCase });
      this.lists.set(directory, list?.isEmpty ? undefined : list);
    }
    return this.lists.get(directory);
  }
}

/** Finds the rule for any path of a tree that may hold checkouts of their own: each has its own rules. */
export function ruleFinder(root: string): (raw: Buffer, isDirectory: boolean) => Rule | undefined {
  const trees = new Map<string, IgnoreFiles>();
  const owners = new Map<string, string>([['', '']]);
  const ownerOf = (directory: string): string => {
    let owner = owners.get(directory);
    if (owner === undefined) {
      owner = checkoutAt(join(root, Buffer.from(directory, 'latin1').toString('utf8'))) ? directory : ownerOf(parentOf(directory));
      owners.set(directory, owner);
    }
    return owner;
  };
  return (raw, isDirectory) => {
    const path = raw.toString('latin1');
    const owner = ownerOf(parentOf(path));
    let rules = trees.get(owner);
    if (!rules) trees.set(owner, (rules = IgnoreFiles.ofTree(join(root, Buffer.from(owner, 'latin1').toString('utf8')))));
    return rules.ruleFor(owner === '' ? path : path.slice(owner.length + 1), isDirectory);
  };
}
