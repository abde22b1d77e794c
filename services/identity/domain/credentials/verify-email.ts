import { v7 as uuidV7 } from 'uuid';
import { TokenNotUsable } from '../errors.ts';
import { once, type RequestKey } from '../idempotency.ts';
import { hashOneTimeToken } from '../one-time-token.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { User } from '../user.ts';
import { userCodec } from '../users/user-codec.ts';
import type { Uuid } from '../uuid.ts';
import { NO_DEVICE } from './no-device.ts';

export interface VerifyEmailDeps {
  readonly unitOfWork: UnitOfWork;
  readonly now: () => Date;
}

/**
 * Marks the address as verified that a token was sent to. Of any number of uses at once, one succeeds.
 *
 * @throws TokenNotUsable, RequestIdReused, DatabaseUnavailable
 */
export async function verifyEmail(
  { unitOfWork, now }: VerifyEmailDeps,
  token: string,
  key: RequestKey | null,
): Promise<User> {
  return await once(unitOfWork, key, userCodec, async ({ oneTimeTokens, credentials, securityEvents }) => {
    const at = now();
    const hash = hashOneTimeToken(token);
    const owner = await oneTimeTokens.use({ hash, purpose: 'email_verification', at });
    const user = owner === null ? null : await credentials.markEmailVerified({ ...owner, at });
    if (user === null) throw new TokenNotUsable();
    await securityEvents.append({
      id: uuidV7() as Uuid,
      type: 'email_verified',
      severity: 'info',
      description: 'The e-mail address was verified with a token from a mail.',
      userId: user.id,
      sessionId: null,
      device: NO_DEVICE,
      metadata: {},
      createdAt: at,
    });
    return user;
  });
}
