// Label and value, one a line: how single things are shown.

export function renderFacts(rows: readonly (readonly [string, string | number | undefined])[]): string[] {
  const shown = rows.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([label]) => label.length)) + 1;
  return shown.map(([label, value]) => `  ${`${label}:`.padEnd(width)} ${value}`);
}
