// Thousands of paths in a few lines: files by name while there is room, else directories with what they hold.

export interface SummaryLine {
  /** A file, or a directory with a slash at its end. */
  path: string;
  files: number;
  bytes: number;
}

interface Place extends SummaryLine {
  below: Map<string, Place>;
  /** Ends with a slash although it is a leaf: a directory that was not looked into. */
  leaf: boolean;
}

/** At most `most` lines, in the order of the paths; the fullest directories are opened first. */
export function summarise(entries: readonly { path: string; bytes: number }[], most: number): SummaryLine[] {
  const top: Place = place('', false);
  for (const { path, bytes } of entries) add(top, path, bytes);
  const lines = new Set<Place>([top]);
  for (;;) {
    const fullest = [...lines].filter((line) => !line.leaf && (line === top || line.below.size - 1 + lines.size <= most)).sort((a, b) => b.files - a.files)[0];
    if (fullest === undefined) break;
    // The top has to be opened, however much lies there: what is too much is told as one line.
    if (fullest === top && top.below.size > most) return crowded(top, most);
    lines.delete(fullest);
    for (const child of fullest.below.values()) lines.add(child);
  }
  return [...lines].sort((a, b) => (a.path < b.path ? -1 : 1)).map(({ path, files, bytes }) => ({ path, files, bytes }));
}

function crowded(top: Place, most: number): SummaryLine[] {
  const shown = [...top.below.values()].sort((a, b) => b.bytes - a.bytes).slice(0, most - 1);
  const rest = [...top.below.values()].filter((child) => !shown.includes(child));
  const sum = (key: 'files' | 'bytes'): number => rest.reduce((total, child) => total + child[key], 0);
  return [...shown.sort((a, b) => (a.path < b.path ? -1 : 1)).map(({ path, files, bytes }) => ({ path, files, bytes })), { path: `(${rest.length} more)`, files: sum('files'), bytes: sum('bytes') }];
}

function place(path: string, leaf: boolean): Place {
  return { path, files: 0, bytes: 0, below: new Map(), leaf };
}

function add(top: Place, path: string, bytes: number): void {
  let here = top;
  here.files++;
  here.bytes += bytes;
  const parts = path.match(/[^/]+\/?/g) ?? [];
  parts.forEach((part, i) => {
    const leaf = i === parts.length - 1;
    let next = here.below.get(part);
    if (next === undefined) here.below.set(part, (next = place(here.path + part, leaf)));
    next.files++;
    next.bytes += bytes;
    here = next;
  });
}
