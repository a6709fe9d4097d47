// Does: renders answers as XML: object keys are elements, arrays repeat their element, undefined is left out.
// By design: no attributes and no indentation; characters that XML 1.0 cannot carry are replaced by U+FFFD.
import type { Xml } from './call.ts';

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#13;' };

export function escapeXml(text: string): string {
  return text
    // Lone surrogates have no UTF-8 form.
    .replaceAll(/\p{Surrogate}/gu, '\ufffd')
    .replaceAll(/[&<>"\r]/g, (character: string) => ESCAPES[character] ?? character)
    // oxlint-disable-next-line no-control-regex
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');
}

/** The inside of an element. */
export function renderXml(value: Xml): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return escapeXml(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) throw new TypeError('an XML list needs an element name: { item: [...] }');
  return Object.entries(value)
    .map(([name, child]) => element(name, child))
    .join('');
}

function element(name: string, value: Xml): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((entry) => element(name, entry)).join('');
  const inside = renderXml(value);
  return inside === '' ? `<${name}/>` : `<${name}>${inside}</${name}>`;
}

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
