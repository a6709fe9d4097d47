// Money as whole micro-dollars (1 USD = 1,000,000). Integers only, so that sums never drift and two parties
// that add the same seconds get the same number. Not here: where prices come from (cost/, providers/).

/** Whole micro-dollars; 10_400 = $0.0104. */
export type MicroUsd = number;

export const MICROS_PER_USD = 1_000_000;

/** Parse a decimal USD text such as "0.0104000000" exactly, rounding half up at the seventh digit. Throws on anything else. */
export function parseUsd(text: string): MicroUsd {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text.trim());
  if (!match) throw new RangeError(`not a USD amount: ${text}`);
  const fraction = (match[2] ?? '').padEnd(7, '0');
  return Number(match[1]) * MICROS_PER_USD + Number(fraction.slice(0, 6)) + (Number(fraction[6]) >= 5 ? 1 : 0);
}

/** "$0.0104", "$12.30": at least two digits, at most `digits`, trailing zeros dropped beyond two. */
export function formatUsd(micros: MicroUsd, digits = 4): string {
  const sign = micros < 0 ? '-' : '';
  const [whole, fraction = ''] = (Math.abs(micros) / MICROS_PER_USD).toFixed(digits).split('.');
  const trimmed = fraction.replace(/0+$/, '').padEnd(2, '0');
  return `${sign}$${whole}.${trimmed}`;
}
