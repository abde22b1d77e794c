import { integerSetting, secretSetting, textSetting } from '../../../runtime/settings.ts';
import { parseMailSender } from '../mail/mail-sender.ts';
import { parseMailUrl } from '../mail/mail-url.ts';
import { mailLinkProblem } from '../mail/render-mail.ts';

/** Mails to users, and the tokens in them. */
export const mailSettings = {
  mailUrl: secretSetting(
    'MAIL_URL',
    'How mails leave: `smtp://user:password@host:587` (with STARTTLS), `smtps://` (TLS from the start), or for development `file:///directory`, which gets a file a mail. Unset: no mail can be sent.',
    parseMailUrl,
  ),
  mailFrom: textSetting(
    'MAIL_FROM',
    'no-reply@localhost',
    'The sender of mails: an address, or `Name <address>`.',
    senderProblem,
  ),
  emailVerificationUrl: textSetting(
    'EMAIL_VERIFICATION_URL',
    undefined,
    'The page that takes a verification token, with `{token}` in its place. Unset: mails hold the bare token.',
    mailLinkProblem,
  ),
  passwordResetUrl: textSetting(
    'PASSWORD_RESET_URL',
    undefined,
    'The page that takes a password-reset token, with `{token}` in its place. Unset: mails hold the bare token.',
    mailLinkProblem,
  ),
  emailVerificationLifetimeSeconds: integerSetting(
    'EMAIL_VERIFICATION_LIFETIME_SECONDS',
    86_400,
    { min: 60, max: 2_592_000 },
    'How long a verification token holds, in seconds.',
  ),
  passwordResetLifetimeSeconds: integerSetting(
    'PASSWORD_RESET_LIFETIME_SECONDS',
    1800,
    { min: 60, max: 86_400 },
    'How long a password-reset token holds, in seconds.',
  ),
};

function senderProblem(text: string): string | undefined {
  try {
    parseMailSender(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
