import type { ChangeOrigin } from '../change.ts';
import { endUserSessions } from '../end-sessions.ts';
import { UserNotFound } from '../errors.ts';
import { type AnswerCodec, once, type RequestKey } from '../idempotency.ts';
import type { Repositories } from '../unit-of-work.ts';
import { userEvent } from '../users/user-event.ts';
import type { Uuid } from '../uuid.ts';
import { mailFactorNotice } from './factor-mail.ts';
import type { SecondFactorDeps } from './second-factor-deps.ts';

/** Whose second factors an operator resets. */
export interface SecondFactorReset {
  readonly userId: Uuid;
  readonly origin: ChangeOrigin;
  readonly requestKey: RequestKey | null;
}

interface ResetDone {
  readonly userId: Uuid;
  readonly revokedSessions: number;
}

const codec: AnswerCodec<ResetDone> = {
  toJson: (done) => done,
  fromJson: (json) => json as ResetDone,
  userIdOf: ({ userId }) => userId,
};

/**
 * Removes all that a user who has lost it could show as a second factor, and what stands in for it; ends all sessions.
 * Also of a user who is suspended, so that it is done before the suspension ends.
 *
 * @returns how many sessions ended with this call, or with the first call that had its request key.
 * @throws UserNotFound, RequestIdReused, DatabaseUnavailable
 */
export async function resetSecondFactors(
  { unitOfWork, now }: Pick<SecondFactorDeps, 'unitOfWork' | 'now'>,
  { userId, origin, requestKey }: SecondFactorReset,
): Promise<number> {
  const { revokedSessions } = await once(unitOfWork, requestKey, codec, async (repositories) => {
    const user = await repositories.users.hold(userId);
    if (user === null || user.deletedAt !== null) throw new UserNotFound();
    const at = now();
    const removed = await removeAll(repositories, userId, at);
    await repositories.securityEvents.append(
      userEvent({
        type: 'second_factors_reset',
        severity: 'high',
        description: 'All second factors, recovery codes and trusted devices were removed by somebody else.',
        userId,
        origin,
        at,
        metadata: removed,
      }),
    );
    if (user.mfaEnabled) {
      await mailFactorNotice(repositories, user, { template: 'second_factor_removed', factor: 'all', at });
    }
    const end = { userId, except: null, reason: 'second_factors_reset', at } as const;
    return { userId, revokedSessions: await endUserSessions(repositories, end) };
  });
  return revokedSessions;
}

/** What of them there was, for the audit log. */
async function removeAll(
  repositories: Repositories,
  userId: Uuid,
  at: Date,
): Promise<{ readonly totp: boolean; readonly passkeys: number; readonly trusted_devices: number }> {
  const { totpAuthenticators, passkeys, recoveryCodes, secondFactors } = repositories;
  const reason = 'second_factors_reset';
  const hadTotp = await totpAuthenticators.remove(userId);
  const removedPasskeys = await passkeys.removeAll(userId);
  await recoveryCodes.removeAll(userId);
  await secondFactors.refreshFlags(userId, at);
  await repositories.challenges.endOpen(userId, at);
  const devices = await repositories.trustedDevices.revokeAllOfUser({ userId, reason, at });
  return { totp: hadTotp, passkeys: removedPasskeys, trusted_devices: devices };
}
