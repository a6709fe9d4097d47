// XML of the S3 REST protocol: rendering of answers and reading of request bodies. Here because S3 keeps leading and
// trailing blanks in keys and repeats list elements without a wrapper, unlike the query protocols. No operation knowledge.
// Does: escape text (also CR and other control characters); refuse malformed documents and any DOCTYPE.
// Gaps: attributes and namespaces of request bodies are ignored.
// By design: element order is the order of insertion. Sources: botocore s3 model (rest-xml), S3 API Reference.
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { AwsFault } from '../../wire/call.ts';

export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** Content of one element: text, children, or several elements of the same name. undefined is left out. A name may carry attributes behind a blank. */
export type XmlContent = string | number | boolean | undefined | XmlContent[] | { [name: string]: XmlContent };

export function renderXml(rootName: string, content: XmlContent, namespace = S3_NAMESPACE): string {
  const attribute = namespace === '' ? '' : ` xmlns="${namespace}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${rootName}${attribute}>${renderContent(content)}</${rootName}>`;
}

function renderContent(content: XmlContent): string {
  if (content === undefined) return '';
  if (typeof content !== 'object') return escapeXml(String(content));
  if (Array.isArray(content)) return content.map(renderContent).join('');
  let text = '';
  for (const [name, value] of Object.entries(content)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) text += `<${name}>${renderContent(one)}</${name.split(' ', 1)[0]}>`;
    }
  }
  return text;
}

// oxlint-disable-next-line no-control-regex -- keys may hold control characters, which must not reach the wire raw
const SPECIAL = /[&<>"\u0000-\u001f]/g;
const NAMED: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function escapeXml(text: string): string {
  return text.replace(SPECIAL, (char) => NAMED[char] ?? `&#x${char.charCodeAt(0).toString(16).toUpperCase()};`);
}

/** A parsed element: text, or children by name. Repeated children come as an array. */
export type XmlNode = string | XmlNode[] | { [name: string]: XmlNode };

const parser = new XMLParser({ ignoreAttributes: true, parseTagValue: false, trimValues: false, removeNSPrefix: true, htmlEntities: true });

export function malformedXml(): AwsFault {
  return new AwsFault('MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema', 400);
}

/** The children of the root element, whose name must be `rootName`. */
export function parseXml(text: string, rootName: string): { [name: string]: XmlNode } {
  // Entities could expand without bound; S3 has no use for document types.
  if (/<!DOCTYPE/i.test(text) || XMLValidator.validate(text) !== true) throw malformedXml();
  const document = parser.parse(text) as Record<string, XmlNode>;
  const root = document[rootName];
  if (root === undefined || Array.isArray(root)) throw malformedXml();
  return typeof root === 'string' ? {} : root;
}

export function listOf(parent: { [name: string]: XmlNode }, name: string): XmlNode[] {
  const value = parent[name];
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

export function textOf(parent: XmlNode | undefined, name: string): string | undefined {
  if (parent === undefined || typeof parent === 'string' || Array.isArray(parent)) return undefined;
  const value = parent[name];
  return typeof value === 'string' ? value : undefined;
}
