import { limitByAccount, limitByAddress } from '../attempt-limits.ts';
import type { Device } from '../device.ts';
import type { EmailAddress } from '../email.ts';
import type { Limiter } from '../limiter.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import { type OneTimeMailOptions, requireMail } from './one-time-mail.ts';

export interface RequestPasswordResetDeps {
  readonly limiter: Limiter;
  readonly unitOfWork: UnitOfWork;
  readonly mail: OneTimeMailOptions;
  readonly now: () => Date;
}

/** How long a request may wait for whoever answers it, in milliseconds. */
const REQUEST_LIFETIME_MS = 600_000;

/**
 * Takes a request for a reset mail. Only keeps it: the account is looked up by {@link answerResetRequest} later, on another
 * clock than the caller's, so that neither time nor bytes of the answer can depend on whether there is one.
 *
 * @throws MailNotConfigured, RateLimited, RateLimiterUnavailable, DatabaseUnavailable; the signal's reason where it is
 *   aborted before the request is kept.
 */
export async function requestPasswordReset(
  { limiter, unitOfWork, mail, now }: RequestPasswordResetDeps,
  { email, device }: { readonly email: EmailAddress; readonly device: Device },
  signal?: AbortSignal,
): Promise<void> {
  requireMail(mail);
  await limitByAddress(limiter, 'auth_password_reset', device.ipAddress, signal);
  await limitByAccount(limiter, 'auth_password_reset', email, signal);
  signal?.throwIfAborted();
  const createdAt = now();
  const expiresAt = new Date(createdAt.getTime() + REQUEST_LIFETIME_MS);
  await unitOfWork.transactional(({ outgoingMails }) =>
    outgoingMails.addResetRequest({ normalizedEmail: email.normalized, device, createdAt, expiresAt }),
  );
}
