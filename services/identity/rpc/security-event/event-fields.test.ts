import { expect, test } from 'vitest';
import { parseMetadata } from './event-fields.ts';

// What the transport of binary messages never lets through, and the one of JSON does.
test.each([
  ['a text', { text: '\ud800' }],
  ['a key', { '\udc00': 1 }],
  ['a text deep inside', { list: [1, { text: 'a\ud83d' }] }],
])('metadata with half of a surrogate pair in %s are refused', (_where, metadata) => {
  expect(parseMetadata(metadata)).toMatchObject({ ok: false });
});

test('whole pairs are not', () => {
  expect(parseMetadata({ '😀': '😀' })).toEqual({ ok: true, value: { '😀': '😀' } });
});
