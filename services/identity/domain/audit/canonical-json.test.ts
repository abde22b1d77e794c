import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import { withTestClient } from '../../../../testing/database-admin.ts';
import { canonicalJson } from './canonical-json.ts';

/** PostgreSQL stores no NUL in texts, and no halves of surrogate pairs. */
const storable = fc
  .jsonValue({ stringUnit: 'binary' })
  .filter((value) => !/\\u0000/.test(JSON.stringify(value)));

test.each([
  [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'],
  [{ 10: 'ten', 9: 'nine', A: { z: {}, y: [] } }, '{"10":"ten","9":"nine","A":{"y":[],"z":{}}}'],
  [[1.0, 1e3, -0, 1e21, 5e-324, 0.1], '[1,1000,0,1e+21,5e-324,0.1]'],
  [JSON.parse('[1e400,-1e400]'), '[1e999,-1e999]'],
  ['"\\\n\u2028ä\ud800', '"\\"\\\\\\n\u2028ä\\ud800"'],
  [JSON.parse('{"__proto__":1,"a":1,"a":2}'), '{"__proto__":1,"a":2}'],
])('writes %j in one way', (value, text) => {
  expect(canonicalJson(value)).toBe(text);
});

test('sorts keys as RFC 8785 section 3.2.3 does, by UTF-16 code units', () => {
  const keys = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6'];
  const sorted = ['\r', '1', '\u0080', '\u00f6', '\u20ac', '\u{1f600}', '\ufb33'];
  const text = canonicalJson(Object.fromEntries(keys.map((key) => [key, 0])));
  expect(text).toBe(`{${sorted.map((key) => `${JSON.stringify(key)}:0`).join(',')}}`);
});

test('reads back as the value that it was written for, so that no two values have one text', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test.each([[undefined], [Number.NaN], [1n], [new Date(0)], [new Map()], [[undefined]], [{ a: () => 1 }]])(
  'refuses what is not JSON: %s',
  (value) => {
    expect(() => canonicalJson(value)).toThrow(TypeError);
  },
);

test('is the same before a value goes to PostgreSQL and when it comes back', async () => {
  await withTestClient(inject('postgresUrl'), async (client) => {
    const stored = async (text: string): Promise<unknown> => {
      const { rows } = await client.query<{ value: unknown }>({
        text: 'select $1::jsonb as value',
        values: [text],
      });
      return rows[0]?.value;
    };
    await fc.assert(
      fc.asyncProperty(storable, async (value) => {
        expect(canonicalJson(await stored(JSON.stringify(value)))).toBe(canonicalJson(value));
      }),
    );
    const respelled = '{"b": 1e3, "a": -0, "a": 1.50, "aa": 1e22, "c": 1e400}';
    expect(canonicalJson(await stored(respelled))).toBe('{"a":1.5,"aa":1e+22,"b":1000,"c":1e999}');
    // Nested as deeply as PostgreSQL takes it.
    const deep = '['.repeat(6000) + ']'.repeat(6000);
    expect(canonicalJson(await stored(deep))).toBe(deep);
  });
});
