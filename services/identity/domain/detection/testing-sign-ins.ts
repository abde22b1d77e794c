import type { Device } from '../device.ts';
import type { IpAddress } from '../ip-address.ts';
import type { Place, Places } from './place.ts';
import type { PastSignIn } from './sign-in.ts';

/** The time that ages of past sign-ins are counted back from. */
export const NOW = new Date('2026-03-01T12:00:00Z');

const CITIES: Readonly<Record<string, Place>> = {
  london: { country: 'GB', latitude: 51.5074, longitude: -0.1278, accuracyKm: 10 },
  paris: { country: 'FR', latitude: 48.8566, longitude: 2.3522, accuracyKm: 10 },
  edinburgh: { country: 'GB', latitude: 55.9533, longitude: -3.1883, accuracyKm: 10 },
  newYork: { country: 'US', latitude: 40.7128, longitude: -74.006, accuracyKm: 20 },
  sydney: { country: 'AU', latitude: -33.8688, longitude: 151.2093, accuracyKm: 10 },
  // What a file of countries tells.
  france: { country: 'FR', latitude: null, longitude: null, accuracyKm: null },
  // What a file without accuracy tells, and one with little of it.
  aucklandWithoutRadius: { country: 'NZ', latitude: -36.8485, longitude: 174.7633, accuracyKm: null },
  somewhereInTheStates: { country: 'US', latitude: 37.751, longitude: -97.822, accuracyKm: 1000 },
  anOcean: { country: null, latitude: 30, longitude: -40, accuracyKm: 10 },
};
export const CITY_NAMES = Object.keys(CITIES);

/** Knows the cities by their names, which stand for addresses, and nothing else. */
export const places: Places = { find: (address) => CITIES[address] ?? null };

export function address(city: string): IpAddress {
  return city as IpAddress;
}

/** A device in a city; of an unknown one nothing is told. */
export function device(parts: { id?: string; fingerprint?: string; from?: string } = {}): Device {
  return {
    id: parts.id ?? null,
    fingerprint: parts.fingerprint ?? null,
    name: null,
    ipAddress: parts.from === undefined ? null : address(parts.from),
    userAgent: null,
  };
}

/** A sign-in so many minutes before {@link NOW}. */
export function past(
  minutes: number,
  parts: { id?: string; fingerprint?: string; from?: string } = {},
): PastSignIn {
  const { id, fingerprint, ipAddress } = device(parts);
  return { at: new Date(NOW.getTime() - minutes * 60_000), deviceId: id, fingerprint, ipAddress };
}
