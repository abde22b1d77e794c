import { describe, expect, it } from 'vitest';
import { parseLogTime } from './log-time.ts';

const MOMENT = Date.UTC(2015, 4, 17, 8, 5, 3) * 1000;

describe('parseLogTime', () => {
  it.each([
    ['17/May/2015:08:05:03 +0000', 0],
    ['17/May/2015:10:05:03 +0200', 0],
    ['17/May/2015:13:35:03 +0530', 0],
    ['16/May/2015:22:05:03 -1000', 0],
    ['17/May/2015:08:05:03.123456 +0000', 123_456],
    ['2015-05-17T08:05:03Z', 0],
    ['2015-05-17T10:05:03+02:00', 0],
    ['2015-05-17T10:05:03+0200', 0],
    ['2015-05-17T10:05:03+02', 0],
    ['2015-05-17 08:05:03,250', 250_000],
    ['2015-05-17t08:05:03.123456789z', 123_456],
    [`${MOMENT / 1_000_000}`, 0],
    [`${MOMENT / 1_000_000}.5`, 500_000],
    [`${MOMENT / 1_000}`, 0],
    [`${MOMENT / 1_000}.25`, 250],
    [`${MOMENT}`, 0],
    [`${MOMENT}789`, 0],
  ])('reads %s', (text, micros) => {
    expect(parseLogTime(text)).toBe(MOMENT + micros);
  });

  it('reads a leap second as the second after, as POSIX time does', () => {
    const midnight = Date.UTC(2017, 0, 1) * 1000;
    expect(parseLogTime('31/Dec/2016:23:59:60 +0000')).toBe(midnight);
    expect(parseLogTime('2017-01-01T05:29:60.5+05:30')).toBe(midnight + 500_000);
  });

  it('knows 29 February in leap years only', () => {
    expect(parseLogTime('2024-02-29T00:00:00Z')).toBe(Date.UTC(2024, 1, 29) * 1000);
    expect(parseLogTime('2023-02-29T00:00:00Z')).toBeNaN();
  });

  it.each([
    '',
    '-',
    'yesterday',
    '31/Feb/2015:10:05:03 +0000',
    '17/Mai/2015:10:05:03 +0000',
    '17/May/2015:24:05:03 +0000',
    '17/May/2015:10:60:03 +0000',
    '17/May/2015:10:05:60 +0000',
    '17/May/2015:10:05:03 +2400',
    '17/May/2015:10:05:03',
    '2015-13-01T00:00:00Z',
    '1969-12-31T23:59:59Z',
    '-1',
    '1e9',
  ])('refuses %j', (text) => {
    expect(parseLogTime(text)).toBeNaN();
  });
});
