import MailComposer from 'nodemailer/lib/mail-composer';
import type { RenderedMail } from '../domain/mailer.ts';
import type { MailSender } from './mail-sender.ts';

/**
 * A mail as it goes over the wire (RFC 5322, MIME). Header values are encoded, never pasted; besides, a line break in one
 * is refused, though neither addresses nor subjects can have any.
 *
 * @throws RangeError
 */
export async function mimeMessage({ to, subject, text }: RenderedMail, from: MailSender): Promise<Buffer> {
  for (const value of [to, subject, from.name, from.address]) {
    if (/\p{Cc}/u.test(value)) throw new RangeError('a mail header must not contain control characters');
  }
  const composer = new MailComposer({
    // As objects: a text would be parsed as a list of addresses.
    from: { name: from.name, address: from.address },
    to: { name: '', address: to },
    subject,
    text,
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return await composer.compile().build();
}
