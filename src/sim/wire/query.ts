// Does: takes the form-encoded parameters of the query protocols apart: Filter.1.Value.2=x becomes { Filter: [{ Value: [x] }] }.
// By design: list positions give the order only, holes are closed; `.member.` levels of IAM and STS are dropped.
// Source: Smithy "AWS EC2 query protocol" and "AWS query protocol".
import { AwsFault } from './call.ts';
import type { QueryParams, QueryValue } from './call.ts';

/** More than any real call sends; keeps a hostile body from building a huge tree. */
const MOST_PARAMETERS = 20_000;
const DEEPEST = 12;

interface Branch {
  leaf?: string;
  children?: Map<string, Branch>;
}

export function parseQuery(text: string): QueryParams {
  const root: Branch = {};
  let count = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    if (++count > MOST_PARAMETERS) throw new AwsFault('MalformedQueryString', 'The query string has too many parameters.');
    const path = name.split('.').filter((part, index) => !(part === 'member' && index > 0));
    if (path.length > DEEPEST || path.includes('')) throw new AwsFault('MalformedQueryString', `The parameter name ${name} is malformed.`);
    let branch = root;
    for (const part of path) {
      branch.children ??= new Map();
      let next = branch.children.get(part);
      if (!next) {
        next = {};
        branch.children.set(part, next);
      }
      branch = next;
    }
    if (branch.leaf !== undefined) throw new AwsFault('MalformedQueryString', `The parameter ${name} appears more than once.`);
    branch.leaf = value;
  }
  return toObject(root);
}

function toObject(branch: Branch): QueryParams {
  const result = Object.create(null) as QueryParams;
  for (const [name, child] of branch.children ?? []) result[name] = toValue(child);
  return result;
}

function toValue(branch: Branch): QueryValue {
  const { children } = branch;
  if (!children) return branch.leaf ?? '';
  const names = [...children.keys()];
  if (names.every((name) => /^\d+$/.test(name))) {
    return [...children].sort(([a], [b]) => Number(a) - Number(b)).map(([, child]) => toValue(child));
  }
  return toObject(branch);
}
