// Finds every place in src/ that makes an error, and what is written there: from the syntax tree, not from the text.
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseSync } from '@swc/core';
import { REPOSITORY } from './cli.ts';

export interface ErrorSite {
  /** `src/x.ts:12` */
  where: string;
  /** The code; undefined where it is computed. */
  code: string | undefined;
  /** The message with `…` for what is computed; undefined where all of it is. */
  message: string | undefined;
  /** Names of the details given; undefined where they are computed as a whole. */
  details: Set<string> | undefined;
  /** Every string in the list of hints, with `…` for what is computed. */
  hints: string[];
}

type Node = { type: string; span?: { start: number; end: number } } & Record<string, unknown>;

export function errorSites(): ErrorSite[] {
  return sources(join(REPOSITORY, 'src')).flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    if (!text.includes('new RunctlError(')) return [];
    return sitesOf(text, relative(REPOSITORY, file));
  });
}

export function sitesOf(text: string, path: string): ErrorSite[] {
  // Offsets of a parse count on from the one before, in bytes: the first statement's own offset is the origin.
  const tree = parseSync(`;${text}`, { syntax: 'typescript', target: 'es2022' }) as unknown as Node & { body: Node[] };
  const origin = tree.body[0]!.span!.start;
  const bytes = Buffer.from(`;${text}`);
  const sites: ErrorSite[] = [];
  visit(tree, (node) => {
    if (node.type !== 'NewExpression' || (node['callee'] as { value?: string }).value !== 'RunctlError') return;
    const [code, message, details] = ((node['arguments'] ?? []) as { expression: Node }[]).map(({ expression }) => expression);
    const line = bytes.subarray(0, node.span!.start - origin).toString('utf8').split('\n').length;
    sites.push({
      where: `${path}:${line}`,
      code: code?.type === 'StringLiteral' ? (code['value'] as string) : undefined,
      message: message === undefined ? undefined : written(message),
      details: details === undefined ? new Set() : detailNames(details),
      hints: details === undefined ? [] : hintsOf(details),
    });
  });
  return sites;
}

function sources(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? sources(path) : entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts') ? [path] : [];
  });
}

function visit(node: unknown, look: (node: Node) => void): void {
  if (Array.isArray(node)) for (const one of node) visit(one, look);
  else if (typeof node === 'object' && node !== null) {
    if (typeof (node as Node).type === 'string') look(node as Node);
    for (const value of Object.values(node)) visit(value, look);
  }
}

/** Both arms of a condition count: joined by a line break. */
function written(node: Node): string | undefined {
  switch (node.type) {
    case 'StringLiteral': return node['value'] as string;
    case 'TemplateLiteral': return (node['quasis'] as { cooked: string }[]).map(({ cooked }) => cooked).join('…');
    case 'ParenthesisExpression': return written(node['expression'] as Node);
    case 'ConditionalExpression': return [node['consequent'], node['alternate']].map((arm) => written(arm as Node) ?? '…').join('\n');
    case 'BinaryExpression': return node['operator'] === '??' ? written(node['right'] as Node) : undefined;
    default: return undefined;
  }
}

function detailNames(node: Node): Set<string> | undefined {
  if (node.type !== 'ObjectExpression') return undefined;
  return new Set((node['properties'] as Node[]).flatMap((property) => {
    const key = (property['key'] ?? property) as { value?: string };
    return property.type === 'SpreadElement' ? [] : typeof key.value === 'string' ? [key.value] : [];
  }));
}

function hintsOf(node: Node): string[] {
  const found: string[] = [];
  if (node.type !== 'ObjectExpression') return found;
  for (const property of node['properties'] as Node[]) {
    if ((property['key'] as { value?: string } | undefined)?.value !== 'hints') continue;
    visit(property['value'], (part) => {
      const text = part.type === 'StringLiteral' || part.type === 'TemplateLiteral' ? written(part) : undefined;
      // Separators of a join and the like are no hints.
      if (text !== undefined && text.trim() !== '') found.push(text);
    });
  }
  return found;
}
