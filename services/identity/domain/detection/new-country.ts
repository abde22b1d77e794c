import { type Finding, finding } from './finding.ts';
import type { AssessedSignIn } from './sign-in.ts';

/** A sign-in comes from a country that none of the past ones came from. Needs one past sign-in whose country is known. */
export function newCountry({ device, history, places }: AssessedSignIn): Finding | null {
  const country = device.ipAddress === null ? null : (places.find(device.ipAddress)?.country ?? null);
  if (country === null) return null;
  const seen = new Set<string>();
  for (const { ipAddress } of history) {
    const past = ipAddress === null ? null : (places.find(ipAddress)?.country ?? null);
    if (past === country) return null;
    if (past !== null) seen.add(past);
  }
  if (seen.size === 0) return null;
  return finding('new_country', 'A user signed in from a country not seen before.', {
    country,
    seen_countries: [...seen].sort(),
  });
}
