import { describe, expect, it } from 'vitest';
import { newCountry } from './new-country.ts';
import { device, NOW, past, places } from './testing-sign-ins.ts';

function found(from: string | undefined, ...history: (string | undefined)[]) {
  return newCountry({
    device: device(from === undefined ? {} : { from }),
    at: NOW,
    history: history.map((city, index) => past(index, city === undefined ? {} : { from: city })),
    places,
  });
}

describe('a new country', () => {
  it('is one that no past sign-in came from', () => {
    expect(found('sydney', 'paris', 'unknown', 'london', 'edinburgh', undefined)).toEqual({
      rule: 'new_country',
      severity: 'medium',
      description: 'A user signed in from a country not seen before.',
      metadata: { country: 'AU', seen_countries: ['FR', 'GB'] },
    });
  });

  it.each([
    ['the first sign-in', 'london'],
    ['one that any past sign-in came from', 'edinburgh', 'paris', 'sydney', 'london'],
    ['one that is told without coordinates', 'france', 'paris'],
    ['no country at all', 'anOcean', 'london'],
    ['an unknown address', 'unknown', 'london'],
    ['no address', undefined, 'london'],
    ['the first one that is known', 'london', 'unknown', undefined, 'anOcean'],
  ])('is not %s', (_, now, ...before) => {
    expect(found(now, ...before)).toBeNull();
  });
});
