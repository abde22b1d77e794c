import type { Mailer } from '../domain/mailer.ts';
import { FileMailer } from './file-mailer.ts';
import type { MailSender } from './mail-sender.ts';
import type { MailTarget } from './mail-url.ts';
import { SmtpMailer } from './smtp-mailer.ts';

/** The mailer that settings ask for. Opens no connection. */
export function createMailer(target: MailTarget, from: MailSender): Mailer {
  return target.kind === 'smtp' ? new SmtpMailer(target, from) : new FileMailer(target.directory, from);
}
