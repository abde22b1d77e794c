import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Coordinates, distanceKm } from './place.ts';

const HALF_ROUND_KM = Math.PI * 6371.0088;

const coordinates = fc.record({
  latitude: fc.double({ min: -90, max: 90, noNaN: true }),
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
});

function at(latitude: number, longitude: number): Coordinates {
  return { latitude, longitude };
}

describe('the distance of', () => {
  it.each([
    // By the angle between vectors, to the kilometre.
    ['London and New York', at(51.5074, -0.1278), at(40.7128, -74.006), 5570],
    ['Sydney and Santiago, across the date line', at(-33.8688, 151.2093), at(-33.4489, -70.6693), 11_347],
    ['two sides of the date line', at(0, 179.5), at(0, -179.5), 111],
    ['the date line and itself', at(10, 180), at(10, -180), 0],
    ['the poles', at(90, 0), at(-90, 77), 20_015],
    ['a pole and itself, where longitude means nothing', at(90, 12), at(90, -155), 0],
    ['a pole and the equator', at(90, 12), at(0, -155), 10_008],
    ['antipodes', at(12.34, 56.78), at(-12.34, -123.22), 20_015],
    ['a degree along the equator', at(0, 0), at(0, 1), 111],
    ['a degree along the 60th parallel', at(60, 0), at(60, 1), 56],
  ])('%s', (_, a, b, km) => {
    expect(Math.round(distanceKm(a, b))).toBe(km);
  });
});

describe('any distance', () => {
  it('is the same both ways, and between none and half round the Earth', () => {
    fc.assert(
      fc.property(coordinates, coordinates, (a, b) => {
        const distance = distanceKm(a, b);
        expect(distance).toBeCloseTo(distanceKm(b, a), 6);
        expect(distance).toBeGreaterThanOrEqual(0);
        expect(distance).toBeLessThanOrEqual(HALF_ROUND_KM + 1e-6);
      }),
    );
  });

  it('is none to the place itself and half round the Earth to its antipode', () => {
    fc.assert(
      fc.property(coordinates, (a) => {
        expect(distanceKm(a, a)).toBe(0);
        const antipode = at(-a.latitude, a.longitude > 0 ? a.longitude - 180 : a.longitude + 180);
        expect(distanceKm(a, antipode)).toBeCloseTo(HALF_ROUND_KM, 3);
      }),
    );
  });

  it('is no longer than a way by some third place', () => {
    fc.assert(
      fc.property(coordinates, coordinates, coordinates, (a, b, c) => {
        expect(distanceKm(a, c)).toBeLessThanOrEqual(distanceKm(a, b) + distanceKm(b, c) + 1e-3);
      }),
    );
  });
});
