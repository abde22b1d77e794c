import { describe, expect, it } from 'vitest';
import { impossibleTravel } from './impossible-travel.ts';
import { device, NOW, past, places } from './testing-sign-ins.ts';

type Past = [minutes: number, city: string | undefined];

/** What is found at {@link NOW}, after sign-ins so many minutes ago. */
function found(from: string | undefined, ...history: Past[]) {
  return impossibleTravel({
    device: device(from === undefined ? {} : { from }),
    at: NOW,
    history: history.map(([minutes, city]) => past(minutes, city === undefined ? {} : { from: city })),
    places,
  });
}

describe('impossible travel', () => {
  it('is one faster than any airliner', () => {
    // 5,570 km less 10 and 20 of accuracy.
    expect(found('newYork', [60, 'london'])).toEqual({
      rule: 'impossible_travel',
      severity: 'high',
      description: 'A user signed in from too far away to have come there since.',
      metadata: { from_country: 'GB', to_country: 'US', distance_km: 5500, speed_kmh: 5500 },
    });
  });

  it('takes 1,000 km/h for possible', () => {
    // 5,540 km: 332.4 minutes at that speed.
    expect(found('newYork', [332, 'london'])).not.toBeNull();
    expect(found('newYork', [333, 'london'])).toBeNull();
  });

  it('does not look at what is nearer than 500 km, however fast', () => {
    expect(found('paris', [0, 'london'])).toBeNull();
    expect(found('edinburgh', [0, 'london'])).toMatchObject({ metadata: { distance_km: 500 } });
  });

  it('takes the least distance that the accuracy of both places allows', () => {
    // Of 2,071 km, 1,051 are left: 63.1 minutes at 1,000 km/h.
    expect(found('somewhereInTheStates', [63, 'newYork'])).toMatchObject({ metadata: { distance_km: 1100 } });
    expect(found('somewhereInTheStates', [64, 'newYork'])).toBeNull();
  });

  it('takes a place without accuracy for 100 km wide', () => {
    // 2,156 km less 10 and 100: 122.8 minutes at 1,000 km/h.
    expect(found('aucklandWithoutRadius', [122, 'sydney'])).not.toBeNull();
    expect(found('aucklandWithoutRadius', [123, 'sydney'])).toBeNull();
  });

  it('compares with the latest sign-in whose coordinates are known', () => {
    expect(found('london', [1, 'unknown'], [2, undefined], [3, 'france'], [60, 'sydney'])).not.toBeNull();
    expect(found('london', [10, 'edinburgh'], [60, 'sydney'])).not.toBeNull();
    expect(found('london', [30, 'paris'], [60, 'sydney'])).toBeNull();
    expect(found('london', [60, 'sydney'], [30, 'paris'])).toBeNull();
  });

  it('has a speed that is a number where two sign in at the same time, in whatever order', () => {
    for (const minutes of [0, 1 / 60_000, -1 / 60_000]) {
      const metadata = found('sydney', [minutes, 'london'])?.metadata;
      expect(metadata).toMatchObject({ distance_km: 17_000 });
      expect(metadata?.['speed_kmh']).toSatisfy(Number.isSafeInteger);
    }
  });

  it('is judged alike where the other sign-in is the later one, by whatever clock', () => {
    expect(found('sydney', [-60, 'london'])).toMatchObject({ metadata: { speed_kmh: 17_000 } });
  });

  it('tells countries where they are known', () => {
    expect(found('anOcean', [1, 'london'])).toMatchObject({
      metadata: { from_country: 'GB', to_country: null },
    });
  });

  it.each<[what: string, from: string | undefined, ...history: Past[]]>([
    ['the first sign-in', 'london'],
    ['a place that was not left', 'sydney', [0, 'sydney']],
    ['an unknown address', 'unknown', [1, 'sydney']],
    ['no address', undefined, [1, 'sydney']],
    ['a country without coordinates', 'france', [1, 'sydney']],
    ['the first place that is known', 'london', [1, 'france'], [2, 'unknown'], [3, undefined]],
  ])('is not %s', (_, now, ...before) => {
    expect(found(now, ...before)).toBeNull();
  });
});
