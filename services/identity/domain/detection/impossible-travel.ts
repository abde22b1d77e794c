import type { IpAddress } from '../ip-address.ts';
import { type Finding, finding } from './finding.ts';
import { type Coordinates, distanceKm, type Places } from './place.ts';
import type { AssessedSignIn } from './sign-in.ts';

/** Shorter ways are not looked at: what places an address is off by as much, where a network moves its addresses about. */
const MIN_DISTANCE_KM = 500;
/** A little faster than an airliner flies. */
const MAX_SPEED_KMH = 1000;
/** Taken where a place does not tell its own: files like DB-IP's, which place by city, leave it out. */
const ASSUMED_ACCURACY_KM = 100;
/** The least time between two sign-ins, for a speed that is a number. */
const MIN_HOURS = 1 / 3600;
const HOUR_MS = 3_600_000;
/** Kilometres and km/h are told in such steps, which give no position away. */
const TOLD_IN_STEPS_OF = 100;

interface Located extends Coordinates {
  readonly country: string | null;
  readonly accuracyKm: number;
}

/**
 * A sign-in comes from farther away than anybody could have come since the last one whose coordinates are known. The
 * distance is the least that the accuracy of both places allows.
 *
 * Times are those of the sign-ins. The last activity of the past session would be nearer, and wrong: its address is the
 * one it was opened from, and a session is carried along. Who opens one at home, flies, reads a message and signs in on
 * another device would have crossed an ocean in the minute since.
 */
export function impossibleTravel({ device, at, history, places }: AssessedSignIn): Finding | null {
  const here = locate(places, device.ipAddress);
  if (here === null) return null;
  for (const past of history.toSorted((a, b) => b.at.getTime() - a.at.getTime())) {
    const there = locate(places, past.ipAddress);
    if (there !== null) return assess(there, here, past.at, at);
  }
  return null;
}

function assess(from: Located, to: Located, leftAt: Date, arrivedAt: Date): Finding | null {
  const distance = distanceKm(from, to) - from.accuracyKm - to.accuracyKm;
  // Of sign-ins at the same time the other one may be the later by the clock of its replica.
  const hours = Math.max(Math.abs(arrivedAt.getTime() - leftAt.getTime()) / HOUR_MS, MIN_HOURS);
  const speed = distance / hours;
  if (!(distance > MIN_DISTANCE_KM && speed > MAX_SPEED_KMH)) return null;
  return finding('impossible_travel', 'A user signed in from too far away to have come there since.', {
    from_country: from.country,
    to_country: to.country,
    distance_km: told(distance),
    speed_kmh: told(speed),
  });
}

function locate(places: Places, address: IpAddress | null): Located | null {
  const place = address === null ? null : places.find(address);
  if (place === null || place.latitude === null || place.longitude === null) return null;
  const { country, latitude, longitude, accuracyKm } = place;
  return { country, latitude, longitude, accuracyKm: accuracyKm ?? ASSUMED_ACCURACY_KM };
}

function told(value: number): number {
  return Math.round(value / TOLD_IN_STEPS_OF) * TOLD_IN_STEPS_OF;
}
