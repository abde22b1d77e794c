import type { MailMessage } from '../outgoing-mail.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { User } from '../user.ts';

/** What users are told about their second factors. */
export type FactorNotice = Extract<
  MailMessage,
  {
    readonly template:
      | 'second_factor_added'
      | 'second_factor_removed'
      | 'recovery_codes_made'
      | 'recovery_code_used';
  }
>;

/** How long a notice is worth sending, in milliseconds. */
const NOTICE_MS = 3 * 24 * 3_600_000;

/** Tells the owner of an account about its second factors (OWASP ASVS 5.0, 6.3.7). @throws DatabaseUnavailable */
export async function mailFactorNotice(
  { outgoingMails }: Pick<Repositories, 'outgoingMails'>,
  { id, email }: Pick<User, 'id' | 'email'>,
  message: FactorNotice,
): Promise<void> {
  const { at } = message;
  await outgoingMails.add({
    userId: id,
    to: email,
    message,
    createdAt: at,
    expiresAt: new Date(at.getTime() + NOTICE_MS),
  });
}
