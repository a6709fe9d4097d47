// Columns for people: as wide as their widest cell, none that is empty throughout, as many as a terminal has room for. Numbers stand
// to the right.
import type { Style } from '../../ui/style.ts';

export interface Column<Row> {
  title: string;
  cell(row: Row): string | undefined;
  right?: boolean;
  /** May be left out where there is no room for it; of several the one with the lowest number goes first. */
  spare?: number;
  /** Emphasis, which takes no room. */
  paint?(text: string, row: Row, style: Style): string;
}

export function renderTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], style: Style): string[] {
  const cells = rows.map((row) => columns.map((column) => style.foreign(column.cell(row) ?? '').replaceAll('\n', ' ')));
  const widths = columns.map((column, n) => cells.reduce((widest, row) => Math.max(widest, cellsOf(row[n] as string)), column.title.length));
  const used = fitting(columns, widths, columns.map((_, n) => cells.some((row) => row[n] !== '')), style.width);
  const line = (texts: readonly string[], row?: Row): string =>
    columns
      .flatMap((column, n) => {
        if (!used[n]) return [];
        const text = texts[n] === '' ? '-' : (texts[n] as string);
        const padding = ' '.repeat(Math.max(0, (widths[n] as number) - cellsOf(text)));
        const painted = row !== undefined && column.paint ? column.paint(text, row, style) : text;
        return [column.right ? padding + painted : painted + padding];
      })
      .join('  ')
      .trimEnd();
  return [style.bold(line(columns.map((column) => column.title))), ...cells.map((texts, n) => line(texts, rows[n]))];
}

/** Which columns are shown: without a terminal all that say something. */
function fitting<Row>(columns: readonly Column<Row>[], widths: readonly number[], used: readonly boolean[], room = Infinity): boolean[] {
  const shown = [...used];
  const width = (): number => widths.reduce((sum, one, n) => sum + (shown[n] ? one + 2 : 0), -2);
  const spare = columns.flatMap(({ spare: order }, n) => (order === undefined ? [] : [{ n, order }])).sort((a, b) => a.order - b.order);
  for (const { n } of spare) if (width() > room) shown[n] = false;
  return shown;
}

/** East Asian letters take two columns of a terminal; so do emoji, which count twice as they are. */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/g;

function cellsOf(text: string): number {
  return text.length + (text.match(WIDE)?.length ?? 0);
}
