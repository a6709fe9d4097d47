// Columns for people: as wide as their widest cell, none that is empty throughout. Numbers stand to the right.
import type { Style } from '../../ui/style.ts';

export interface Column<Row> {
  title: string;
  cell(row: Row): string | undefined;
  right?: boolean;
  /** Emphasis, which takes no room. */
  paint?(text: string, row: Row, style: Style): string;
}

export function renderTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], style: Style): string[] {
  const cells = rows.map((row) => columns.map((column) => style.foreign(column.cell(row) ?? '').replaceAll('\n', ' ')));
  const used = columns.map((_, n) => cells.some((row) => row[n] !== ''));
  const widths = columns.map((column, n) => Math.max(column.title.length, ...cells.map((row) => (row[n] as string).length)));
  const line = (texts: readonly string[], row?: Row): string =>
    columns
      .flatMap((column, n) => {
        if (!used[n]) return [];
        const text = texts[n] === '' ? '-' : (texts[n] as string);
        const padding = ' '.repeat(Math.max(0, (widths[n] as number) - text.length));
        const painted = row !== undefined && column.paint ? column.paint(text, row, style) : text;
        return [column.right ? padding + painted : painted + padding];
      })
      .join('  ')
      .trimEnd();
  return [style.bold(line(columns.map((column) => column.title))), ...cells.map((texts, n) => line(texts, rows[n]))];
}
