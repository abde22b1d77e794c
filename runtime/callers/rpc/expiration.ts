import { type Duration, durationMs, type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import type { Violations } from '../../validation.ts';

/** When a key is to end, as a request has it. */
export type Expiration =
  | { readonly case: 'expireTime'; readonly value: Timestamp }
  | { readonly case: 'ttl'; readonly value: Duration }
  | { readonly case: undefined; readonly value?: undefined };

/** Ten years. */
const MAX_TTL_MS = 3653 * 86_400_000;

/** When a key that is made now ends; undefined where the request leaves it open. */
export function expiresAt(expiration: Expiration): Date | undefined {
  if (expiration.case === 'expireTime') return new Date(timestampMs(expiration.value));
  if (expiration.case === 'ttl') return new Date(Date.now() + durationMs(expiration.value));
  return undefined;
}

export function expirationBounds(expiration: Expiration, violations: Violations): void {
  const end = expiresAt(expiration)?.getTime();
  if (end === undefined) return;
  const ms = end - Date.now();
  // Neither holds for a number that is none.
  if (ms > 0 && ms <= MAX_TTL_MS) return;
  if (expiration.case === 'ttl') violations.add('ttl', 'must be more than zero and at most 10 years');
  else violations.add('expire_time', 'must be a time to come, at most 10 years from now');
}
