import type { IpAddress } from '../ip-address.ts';

/** A point on the Earth, in degrees: -90 to 90 north, -180 to 180 east. */
export interface Coordinates {
  readonly latitude: number;
  readonly longitude: number;
}

/** Where an address is thought to be used. Unknown parts are null; latitude and longitude are known together. */
export interface Place {
  /** ISO 3166-1 alpha-2. */
  readonly country: string | null;
  /** Degrees north, -90 to 90. */
  readonly latitude: number | null;
  /** Degrees east, -180 to 180. */
  readonly longitude: number | null;
  /** Radius around the point that the address is likely to be in, in kilometres. */
  readonly accuracyKm: number | null;
}

/** What tells where an address is used. */
export interface Places {
  /** Null where nothing is known, as of all private addresses. Never throws. */
  find(address: IpAddress): Place | null;
}

/** Mean radius of the Earth (IUGG's R1), in kilometres. */
const EARTH_RADIUS_KM = 6371.0088;

/** Length of the shortest way over the Earth's surface, taken as a sphere (haversine formula): 0.5% off at most. */
export function distanceKm(a: Coordinates, b: Coordinates): number {
  const latitude = Math.sin(radians(b.latitude - a.latitude) / 2) ** 2;
  const longitude = Math.sin(radians(b.longitude - a.longitude) / 2) ** 2;
  const haversine = latitude + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * longitude;
  // Between antipodes rounding can go past 1, where there is no arc sine.
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(haversine)));
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
