import { v7 as uuidV7 } from 'uuid';
import { limitByUser } from '../attempt-limits.ts';
import { EmailAlreadyVerified, UserNotFound } from '../errors.ts';
import { type AnswerCodec, once, type RequestKey } from '../idempotency.ts';
import type { Limiter } from '../limiter.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import { NO_DEVICE } from './no-device.ts';
import { mailOneTimeToken, type OneTimeMailOptions, requireMail } from './one-time-mail.ts';

export interface SendEmailVerificationDeps {
  readonly limiter: Limiter;
  readonly unitOfWork: UnitOfWork;
  readonly mail: OneTimeMailOptions;
  readonly now: () => Date;
}

/** A mail that is on its way. */
export interface VerificationSent {
  readonly userId: Uuid;
  readonly expiresAt: Date;
}

const codec: AnswerCodec<VerificationSent> = {
  toJson: ({ userId, expiresAt }) => ({ userId, expiresAt }),
  fromJson: (json) => {
    const { userId, expiresAt } = json as { userId: Uuid; expiresAt: string };
    return { userId, expiresAt: new Date(expiresAt) };
  },
  userIdOf: ({ userId }) => userId,
};

/**
 * Mails a user a token that shows, given to {@link verifyEmail}, that the address is theirs. Ends those before.
 *
 * @throws MailNotConfigured, RateLimited, RateLimiterUnavailable, UserNotFound, EmailAlreadyVerified, RequestIdReused,
 *   DatabaseUnavailable
 */
export async function sendEmailVerification(
  { limiter, unitOfWork, mail, now }: SendEmailVerificationDeps,
  userId: Uuid,
  key: RequestKey | null,
  signal?: AbortSignal,
): Promise<VerificationSent> {
  requireMail(mail);
  await limitByUser(limiter, 'auth_email_verification', userId, signal);
  return await once(unitOfWork, key, codec, async (repositories) => {
    const at = now();
    const account = await repositories.credentials.holdAccount({ userId });
    if (account === null) throw new UserNotFound();
    if (account.emailVerifiedAt !== null) throw new EmailAlreadyVerified();
    const purpose = 'email_verification';
    const expiresAt = await mailOneTimeToken(mail, repositories, { ...account, purpose, at });
    await repositories.securityEvents.append({
      id: uuidV7() as Uuid,
      type: 'email_verification_sent',
      severity: 'info',
      description: 'A mail to verify the e-mail address was sent.',
      userId,
      sessionId: null,
      device: NO_DEVICE,
      metadata: {},
      createdAt: at,
    });
    return { userId, expiresAt };
  });
}
