import { isUuid, type Uuid } from '../../domain/uuid.ts';

/** Changes with what tokens hold. */
const VERSION = 1;

/** Which list a token is of. */
export interface DeviceListing {
  readonly userId: Uuid;
  readonly showRevoked: boolean;
}

/** Where the page after a device begins. Devices that come and go meanwhile don't move it. */
export function writePageToken({ userId, showRevoked }: DeviceListing, last: Uuid): string {
  return Buffer.from(`${VERSION} ${userId} ${showRevoked} ${last}`).toString('base64url');
}

/** The last device of the page before; undefined for a text that is no token of this list. */
export function readPageToken(listing: DeviceListing, token: string): Uuid | undefined {
  const last = Buffer.from(token, 'base64url').toString('latin1').split(' ').at(-1);
  return isUuid(last) && writePageToken(listing, last) === token ? last : undefined;
}
