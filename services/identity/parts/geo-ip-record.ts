import type { Place } from '../domain/detection/place.ts';

/**
 * The place of a record with the fields of GeoIP2: `country.iso_code`, and of `location` the `latitude`, `longitude` and
 * `accuracy_radius`. Null where it tells none. `registered_country` is not looked at: it is where the network's owner has
 * its seat, and says nothing about who uses it.
 */
export function placeOf(record: unknown): Place | null {
  const country = countryCode(fieldOf(fieldOf(record, 'country'), 'iso_code'));
  const location = fieldOf(record, 'location');
  const latitude = within(fieldOf(location, 'latitude'), -90, 90);
  const longitude = within(fieldOf(location, 'longitude'), -180, 180);
  // Files put what they can't place at 0/0, which lies in the sea.
  const located = latitude !== null && longitude !== null && (latitude !== 0 || longitude !== 0);
  if (country === null && !located) return null;
  return {
    country,
    latitude: located ? latitude : null,
    longitude: located ? longitude : null,
    accuracyKm: located ? within(fieldOf(location, 'accuracy_radius'), 0, 20_038) : null,
  };
}

/** `ZZ`, which ISO 3166-1 gives to nobody, is how DB-IP says that it does not know. */
function countryCode(value: unknown): string | null {
  return typeof value === 'string' && /^[A-Z]{2}$/.test(value) && value !== 'ZZ' ? value : null;
}

function within(value: unknown, min: number, max: number): number | null {
  return typeof value === 'number' && value >= min && value <= max ? value : null;
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}
