import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatWindow, parseWindow } from './window-text.ts';

describe('a window as text', () => {
  it.each([
    ['1us', 1],
    ['500ms', 500_000],
    ['1s', 1_000_000],
    ['1m', 60_000_000],
    ['1h', 3_600_000_000],
    ['1d', 86_400_000_000],
    ['400d', 34_560_000_000_000],
    ['1h30m', 5_400_000_000],
    ['1m500ms', 60_500_000],
    ['90m', 5_400_000_000],
  ])('%s is %i µs', (text, micros) => {
    expect(parseWindow(text)).toBe(micros);
  });

  it.each(['', '60', '1', 'm', '1 m', ' 1m', '1M', '1.5h', '-1m', '1m1h', '1m1m', '1w', '1m\n', '٣m'])(
    '"%s" is none',
    (text) => {
      expect(parseWindow(text)).toBeNaN();
    },
  );

  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 34_560_000_000_000 }), (micros) => {
        expect(parseWindow(formatWindow(micros))).toBe(micros);
      }),
    );
  });
});
