import { describe, expect, it } from 'vitest';
import type { TopFigures } from '../domain/top-keys.ts';
import { readFigures, writeFigures } from './top-format.ts';

const NONE = { floor: 0, entries: [] };
const FIGURES: TopFigures = {
  sinceMicros: 1_700_000_000_000_000,
  denied: { floor: 2, entries: [{ endpoint: 'auth_login', identifier: 'user:"Zoë"', count: 9, error: 1 }] },
  checked: NONE,
};

describe('figures as text', () => {
  it('read back as they were', () => {
    expect(readFigures(writeFigures(FIGURES))).toEqual(FIGURES);
  });

  it('are cut to 200 entries, under a floor that says so', () => {
    const entries = Array.from({ length: 300 }, (_, index) => ({
      endpoint: 'a',
      identifier: `user:${index}`,
      count: 1_000 - index,
      error: 0,
    }));
    const read = readFigures(writeFigures({ ...FIGURES, denied: { floor: 5, entries } }));
    expect(read?.denied).toEqual({ floor: 800, entries: entries.slice(0, 200) });
  });

  it.each([
    ['no JSON', '{'],
    ['nothing', ''],
    ['a field less', JSON.stringify({ since: 1, denied: NONE })],
    ['a negative count', JSON.stringify({ since: 1, denied: NONE, checked: { floor: -1, entries: [] } })],
    [
      'an entry of another shape',
      JSON.stringify({ since: 1, denied: NONE, checked: { floor: 0, entries: [['a']] } }),
    ],
    [
      'too many entries',
      JSON.stringify({
        since: 1,
        denied: NONE,
        checked: { floor: 0, entries: Array(201).fill(['a', 'b', 1, 0]) },
      }),
    ],
  ])('are none with %s', (_, text) => {
    expect(readFigures(text)).toBeUndefined();
  });
});
