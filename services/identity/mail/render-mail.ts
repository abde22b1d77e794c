import type { DetectionRule } from '../domain/detection/rules.ts';
import type { RenderedMail } from '../domain/mailer.ts';
import type { MailMessage } from '../domain/outgoing-mail.ts';

/** Pages of the platform that take tokens: URLs with `{token}` in them. Undefined: mails hold the bare token. */
export interface MailLinks {
  readonly verifyEmail: string | undefined;
  readonly resetPassword: string | undefined;
}

/**
 * What is wrong with a URL for {@link MailLinks}; undefined where nothing is. The text continues a sentence that starts
 * with the setting's name.
 */
export function mailLinkProblem(text: string): string | undefined {
  const isUrl = /^https?:\/\/[^\s]+$/i.test(text) && URL.canParse(text.replace('{token}', 'x'));
  return isUrl && text.split('{token}').length === 2
    ? undefined
    : 'must be a URL that starts with https:// or http:// and contains {token} once';
}

/** Puts a mail into words: plain text, English. Nothing a user typed is repeated in it. */
export function renderMail(to: string, message: MailMessage, links: MailLinks): RenderedMail {
  const [subject, ...paragraphs] = words(message, links);
  return { to, subject, text: `${paragraphs.join('\n\n')}\n` };
}

/** The subject, then the paragraphs. */
function words(message: MailMessage, links: MailLinks): [subject: string, ...paragraphs: string[]] {
  switch (message.template) {
    case 'verify_email':
      return [
        'Verify your e-mail address',
        'Somebody, you we hope, gave this e-mail address for an account. To show that it is yours:',
        tokenLine(message.token, links.verifyEmail),
        `This works once, until ${moment(message.expiresAt)}. If it was not you, ignore this mail.`,
      ];
    case 'reset_password':
      return [
        'Reset your password',
        'Somebody, you we hope, wants to set a new password for your account. To do it:',
        tokenLine(message.token, links.resetPassword),
        `This works once, until ${moment(message.expiresAt)}. If it was not you, ignore this mail: your password stays as it is. Give this to nobody; we never ask for it.`,
      ];
    case 'password_changed':
      return [
        'Your password was changed',
        `The password of your account was changed at ${moment(message.at)}.`,
        'If it was not you, reset your password at once and tell us.',
      ];
    case 'email_changed':
      return [
        'Your e-mail address was changed',
        `The e-mail address of your account was changed at ${moment(message.at)}: this one no longer belongs to it.`,
        'If it was not you, tell us at once.',
      ];
    case 'account_locked':
      return [
        'Your account is locked for a while',
        `At ${moment(message.at)}, after several wrong passwords, your account was locked until ${moment(message.until)}. Further wrong passwords lock it for longer.`,
        'If it was not you, somebody else tried to sign in. Resetting your password ends the lock.',
      ];
    case 'second_factor_added':
      return [
        'A second factor was added to your account',
        `At ${moment(message.at)} ${FACTORS[message.factor]} was added to your account. From now on it is asked for when you sign in.`,
        'If it was not you, change your password at once and tell us.',
      ];
    case 'second_factor_removed':
      return [
        'A second factor was removed from your account',
        `At ${moment(message.at)} ${FACTORS[message.factor]} was removed from your account.`,
        'If it was not you, change your password at once and tell us.',
      ];
    case 'recovery_codes_made':
      return [
        'New recovery codes were made for your account',
        `At ${moment(message.at)} new recovery codes were made for your account. Those from before work no more.`,
        'If it was not you, change your password at once and tell us.',
      ];
    case 'recovery_code_used':
      return [
        'A recovery code was used',
        `At ${moment(message.at)} one of your recovery codes was used to sign in. ${message.left} are left.`,
        'If it was not you, change your password at once and tell us.',
      ];
    case 'device_trusted':
      return [
        'A device is trusted now',
        `At ${moment(message.at)} a device was chosen on which your account asks for no second factor.`,
        'If it was not you, change your password at once: that takes the trust from all devices.',
      ];
    case 'security_alert':
      return [
        'Please check your account',
        `At ${moment(message.at)} we noticed something about your account: ${ALERTS[message.finding]}.`,
        'If it was you, there is nothing to do. If not, change your password at once and tell us.',
      ];
  }
}

const FACTORS = {
  totp: 'an authenticator app',
  passkey: 'a passkey',
  all: 'every second factor',
} as const;

const ALERTS: Readonly<Record<DetectionRule, string>> = {
  new_device: 'a sign-in on a device that was not used before',
  new_country: 'a sign-in from another country than before',
  impossible_travel: 'a sign-in from a place too far from the last one for the time between them',
  credential_stuffing: 'many sign-ins to different accounts failed from one place',
  failure_burst: 'many sign-ins to it failed',
  refresh_token_reuse: 'a session was copied, and ended',
};

function tokenLine(token: string, link: string | undefined): string {
  return link === undefined ? `Your code: ${token}` : link.replace('{token}', () => token);
}

/** For example `2026-11-22 13:05 UTC`. */
function moment(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
