import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidReceipt } from './errors.ts';
import { readReceipt, writeReceipt } from './receipt.ts';
import { check, full, MINUTE, rulesOf, state, T, termsOf } from './testing-decisions.ts';

const limit = (name: string, shadow = false) => ({ name, limit: 5, windowMicros: MINUTE, shadow });
const rules = rulesOf({
  auth_login: { limits: [limit(''), limit('hour'), limit('s', true), limit('t', true)] },
});
const terms = termsOf(rules, check({ identifier: 'user:"Zoë"', cost: 3 }));

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

const PART = ['auth_login', 'user:1', ':hour~b!', 1, T];

describe('a receipt', () => {
  it('names what was taken, in a form that any replica reads', () => {
    const states = [state({ resetMicros: T + 1 }), state({ resetMicros: T + 2 }), state(), state()];
    const text = writeReceipt('an-id_1', 'REDIS', terms, states);
    expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
    const part = { endpoint: 'auth_login', identifier: 'user:"Zoë"', cost: 3 };
    expect(readReceipt(text)).toEqual({
      id: 'an-id_1',
      source: 'REDIS',
      parts: [
        { ...part, keySuffix: '', resetMicros: T + 1 },
        { ...part, keySuffix: ':hour', resetMicros: T + 2 },
        { ...part, keySuffix: ':s!', resetMicros: T + MINUTE },
        { ...part, keySuffix: ':t!', resetMicros: T + MINUTE },
      ],
    });
  });

  it('has no shadow limit where one of those had no room, since then none was taken', () => {
    const { parts } = readReceipt(writeReceipt('id', 'MEMORY', terms, [state(), state(), state(), full()]));
    expect(parts.map(({ keySuffix }) => keySuffix)).toEqual(['', ':hour']);
  });

  it('is empty where nothing was taken', () => {
    expect(writeReceipt('id', 'REDIS', [], [])).toBe('');
    expect(writeReceipt('id', 'REDIS', terms.slice(2), [full(), state()])).toBe('');
  });

  it.each(['REDIS', 'MEMORY', 'FALLBACK_LOCAL'] as const)('remembers that %s counted', (source) => {
    expect(readReceipt(writeReceipt('id', source, terms.slice(0, 1), [state()])).source).toBe(source);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', Buffer.from('{').toString('base64url')],
    ['no list', encode({ id: 'a' })],
    ['too little', encode(['id', 0])],
    ['too much', encode(['id', 0, [PART], 1])],
    ['an id that is none', encode(['', 0, [PART]])],
    ['an id with other characters', encode(['a:b', 0, [PART]])],
    ['an id too long', encode(['i'.repeat(65), 0, [PART]])],
    ['an unknown source', encode(['id', 3, [PART]])],
    ['a source by name', encode(['id', 'length', [PART]])],
    ['no parts', encode(['id', 0, []])],
    ['too many parts', encode(['id', 0, Array(2_001).fill(PART)])],
    ['a part that is short', encode(['id', 0, [PART.slice(1)]])],
    ['a suffix that leads elsewhere', encode(['id', 0, [['a', 'b', '}:other', 1, T]]])],
    ['a cost of 0', encode(['id', 0, [['a', 'b', '', 0, T]]])],
    ['a part of a unit', encode(['id', 0, [['a', 'b', '', 0.5, T]]])],
    ['a cost no limit has', encode(['id', 0, [['a', 'b', '', 1_000_000_001, T]]])],
    ['a time that is none', encode(['id', 0, [['a', 'b', '', 1, null]]])],
  ])('is refused with %s', (_, text) => {
    expect(() => readReceipt(text)).toThrow(InvalidReceipt);
  });

  it('is refused as such, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json().map((json) => Buffer.from(json).toString('base64url')),
        ),
        (text) => {
          expect(() => readReceipt(text)).toThrow(InvalidReceipt);
        },
      ),
    );
  });
});
