import { isUuid, type Uuid } from '../../domain/uuid.ts';

/** Changes with what tokens hold. */
const VERSION = 1;

/** Which list a token is of. */
export interface SessionListing {
  readonly userId: Uuid;
  readonly showEnded: boolean;
}

/** Where the page after a session begins. Sessions that come and go meanwhile don't move it. */
export function writePageToken({ userId, showEnded }: SessionListing, last: Uuid): string {
  return Buffer.from(`${VERSION} ${userId} ${showEnded} ${last}`).toString('base64url');
}

/** The last session of the page before; undefined for a text that is no token of this list. */
export function readPageToken(listing: SessionListing, token: string): Uuid | undefined {
  const last = Buffer.from(token, 'base64url').toString('latin1').split(' ').at(-1);
  return isUuid(last) && writePageToken(listing, last) === token ? last : undefined;
}
