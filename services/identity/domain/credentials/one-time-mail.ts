import { MailNotConfigured } from '../errors.ts';
import { createOneTimeToken, type OneTimePurpose } from '../one-time-token.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';

/** Whether mail is sent, and how long the tokens in it hold. */
export interface OneTimeMailOptions {
  /** False where MAIL_URL is not set. */
  readonly enabled: boolean;
  /** How long a token holds, in milliseconds: a day, and half an hour, unless set otherwise. */
  readonly lifetimeMs: Readonly<Record<OneTimePurpose, number>>;
}

const TEMPLATES = { email_verification: 'verify_email', password_reset: 'reset_password' } as const;

/** @throws MailNotConfigured */
export function requireMail({ enabled }: OneTimeMailOptions): void {
  if (!enabled) throw new MailNotConfigured();
}

/**
 * Makes a token, which ends those before of its purpose, and the mail that carries it. The transaction holds the user's
 * row, or has just made it.
 *
 * @returns when the token ends.
 * @throws DatabaseUnavailable
 */
export async function mailOneTimeToken(
  { lifetimeMs }: OneTimeMailOptions,
  { oneTimeTokens, outgoingMails }: Pick<Repositories, 'oneTimeTokens' | 'outgoingMails'>,
  mail: {
    readonly userId: Uuid;
    readonly email: string;
    readonly emailNormalized: string;
    readonly purpose: OneTimePurpose;
    readonly at: Date;
  },
): Promise<Date> {
  const { userId, email, emailNormalized, purpose, at } = mail;
  const { token, hash } = createOneTimeToken();
  const expiresAt = new Date(at.getTime() + lifetimeMs[purpose]);
  await oneTimeTokens.replace({ userId, purpose, hash, emailNormalized, createdAt: at, expiresAt });
  await outgoingMails.add({
    userId,
    to: email,
    message: { template: TEMPLATES[purpose], token, expiresAt },
    createdAt: at,
    expiresAt,
  });
  return expiresAt;
}
