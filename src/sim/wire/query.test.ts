import { expect, test } from 'vitest';
import { parseQuery } from './query.ts';
import { renderXml } from './xml.ts';

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('R200 EC2 parameters are unflattened in index order, holes closed', () => {
  const params = parseQuery('Action=X&Filter.1.Name=a&Filter.1.Value.10=z&Filter.1.Value.2=y&Filter.3.Name=b&BlockDeviceMapping.1.Ebs.VolumeSize=8&Empty=');
  expect(plain(params)).toEqual({
    Action: 'X',
    Filter: [{ Name: 'a', Value: ['y', 'z'] }, { Name: 'b' }],
    BlockDeviceMapping: [{ Ebs: { VolumeSize: '8' } }],
    Empty: '',
  });
});

test('R200 member levels of IAM lists are dropped', () => {
  expect(plain(parseQuery('Tags.member.1.Key=k&Tags.member.1.Value=v'))).toEqual({ Tags: [{ Key: 'k', Value: 'v' }] });
});

test('names of prototypes are ordinary names', () => {
  const params = parseQuery('__proto__.polluted=yes&constructor=1');
  expect(Object.getPrototypeOf(params)).toBeNull();
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test.each([['a=1&a=2'], ['a..b=1'], [`${'a.'.repeat(20)}b=1`], [Array.from({ length: 20_001 }, (_, index) => `p${index}=1`).join('&')]])('malformed parameters are refused: %.20s', (text) => {
  expect(() => parseQuery(text)).toThrow(expect.objectContaining({ name: 'MalformedQueryString' }));
});

test('R200 XML is escaped, lists repeat their element, undefined is left out, empty elements are short', () => {
  expect(renderXml({ set: { item: [{ a: '<&>"' }, { a: 1 }] }, gone: undefined, none: { item: [] }, empty: '', yes: true })).toBe(
    '<set><item><a>&lt;&amp;&gt;&quot;</a></item><item><a>1</a></item></set><none/><empty/><yes>true</yes>',
  );
  expect(renderXml('a\u0000b\ud800c\r\n')).toBe('a\ufffdb\ufffdc&#13;\n');
});
