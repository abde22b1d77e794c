import { personalDigest } from '../personal-digest.ts';
import type { ChainedEvent } from './event-hash.ts';

/**
 * Whether an event's personal part is the one that was recorded, or was erased as a whole. Entries from before the
 * personal hash was kept have nothing to compare with: theirs always is.
 */
export function isPersonalPartIntact({ personal, personalSalt, personalHash }: ChainedEvent): boolean {
  if (personalSalt !== null) {
    return personalHash !== null && personalDigest(personalSalt, personal).equals(personalHash);
  }
  const { id, fingerprint, ipAddress, userAgent } = personal;
  return personalHash === null || [id, fingerprint, ipAddress, userAgent].every((part) => part === null);
}
