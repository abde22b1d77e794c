import { createHash } from 'node:crypto';
import type { SecurityEventFilter } from '../../domain/security-event.ts';
import { isUuid, type Uuid } from '../../domain/uuid.ts';

/** Changes with what tokens hold. */
const VERSION = 1;

/** Where a list goes on behind an event. Events that come meanwhile don't move it. */
export function writePageToken(filter: SecurityEventFilter, last: Uuid): string {
  return Buffer.from(`${VERSION} ${digestOf(filter)} ${last}`).toString('base64url');
}

/** The event behind which the page begins; undefined for a text that is no token of this list. */
export function readPageToken(filter: SecurityEventFilter, token: string): Uuid | undefined {
  const last = Buffer.from(token, 'base64url').toString('latin1').split(' ').at(-1);
  return isUuid(last) && writePageToken(filter, last) === token ? last : undefined;
}

/** Tells lists apart. No secret: whoever makes up a token gets a page of what he may list anyway. */
function digestOf(filter: SecurityEventFilter): string {
  // Written out, so that the order of properties does not depend on who made the filter.
  const list = [
    filter.userId,
    [...filter.types].sort(),
    filter.minSeverity,
    filter.createdFrom,
    filter.createdBefore,
    filter.sessionId,
    filter.unresolved,
  ];
  return createHash('sha256').update(JSON.stringify(list)).digest('base64url').slice(0, 22);
}
