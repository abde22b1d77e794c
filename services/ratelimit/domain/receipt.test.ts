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

const PART = ['auth_login', 'user:1', ':hour~b!', 1, T, MINUTE];

describe('a receipt', () => {
  it('names what was taken, in a form that any replica reads', () => {
    const states = [state({ resetMicros: T + 1 }), state({ resetMicros: T + 2 }), state(), state()];
    const text = writeReceipt('an-id_1', 'REDIS', terms, states);
    expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
    const part = { endpoint: 'auth_login', identifier: 'user:"Zoë"', cost: 3, windowMicros: MINUTE };
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

  it('has leases alone where it is for those', () => {
    const held = { name: 'held', algorithm: 'CONCURRENCY', limit: 5, windowMicros: MINUTE } as const;
    const both = termsOf(rulesOf({ auth_login: { limits: [limit('rate'), held] } }));
    const { parts } = readReceipt(writeReceipt('id', 'REDIS', both, [state(), state()], 'LEASES'));
    expect(parts.map(({ keySuffix }) => keySuffix)).toEqual([':held~l']);
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
    ['a suffix that leads elsewhere', encode(['id', 0, [['a', 'b', '}:other', 1, T, MINUTE]]])],
    ['an endpoint that is none', encode(['id', 0, [['{a}', 'b', '', 1, T, MINUTE]]])],
    ['an endpoint too long', encode(['id', 0, [['a'.repeat(129), 'b', '', 1, T, MINUTE]]])],
    ['no identifier', encode(['id', 0, [['a', '', '', 1, T, MINUTE]]])],
    ['an identifier too long', encode(['id', 0, [['a', 'ü'.repeat(129), '', 1, T, MINUTE]]])],
    ['an identifier with control characters', encode(['id', 0, [['a', 'b\n', '', 1, T, MINUTE]]])],
    ['a cost of 0', encode(['id', 0, [['a', 'b', '', 0, T, MINUTE]]])],
    ['a part of a unit', encode(['id', 0, [['a', 'b', '', 0.5, T, MINUTE]]])],
    ['a cost no limit has', encode(['id', 0, [['a', 'b', '', 1_000_000_001, T, MINUTE]]])],
    ['a time that is none', encode(['id', 0, [['a', 'b', '', 1, null, MINUTE]]])],
    ['a window that is none', encode(['id', 0, [['a', 'b', '', 1, T, -1]]])],
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
