import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { accepted, type Parsed, rejected } from '../../domain/parsed.ts';
import { ROLES, type Role } from '../../domain/user.ts';
import { isUuid, type Uuid } from '../../domain/uuid.ts';

/** google.protobuf.Timestamp: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z, in seconds. */
const MIN_SECONDS = -62_135_596_800n;
const MAX_SECONDS = 253_402_300_799n;

/** Reads a UUID in any case. */
export function parseUuid(text: string): Parsed<Uuid> {
  const id = text.toLowerCase();
  return isUuid(id) ? accepted(id) : rejected('must be a UUID');
}

/** Reads roles, each once; none is fine. */
export function parseRoles(texts: readonly string[]): Parsed<readonly Role[]> {
  const given = new Set(texts);
  const known = ROLES.filter((role) => given.has(role));
  return known.length === given.size ? accepted(known) : rejected(`must be any of ${ROLES.join(', ')}`);
}

/** Reads a moment, to the millisecond. */
export function parseTimestamp(timestamp: Timestamp): Parsed<Date> {
  const { seconds, nanos } = timestamp;
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS || nanos < 0 || nanos > 999_999_999) {
    return rejected('must be a time of the years 1 to 9999');
  }
  return accepted(timestampDate(timestamp));
}
