import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from '../../../runtime/logger.ts';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import type { IdentityConfig } from '../config.ts';
import { answerResetRequest } from '../domain/credentials/answer-reset-request.ts';
import type { OneTimeMailOptions } from '../domain/credentials/one-time-mail.ts';
import type { SecretBox } from '../domain/secret-box.ts';
import type { UnitOfWork } from '../domain/unit-of-work.ts';
import { createMailer } from '../mail/create-mailer.ts';
import { MailDelivery } from '../mail/mail-delivery.ts';
import { parseMailSender } from '../mail/mail-sender.ts';
import { renderMail } from '../mail/render-mail.ts';
import { addMailMetrics } from '../metrics/mail-metrics.ts';
import { readMailBacklog } from '../storage/mail-backlog.ts';
import { OutgoingMailRepository } from '../storage/outgoing-mail-repository.ts';

/** Whether mails leave, and how long the tokens in them hold. */
export function mailOptions(config: IdentityConfig): OneTimeMailOptions {
  return {
    enabled: config.mailUrl !== undefined,
    lifetimeMs: {
      email_verification: config.emailVerificationLifetimeSeconds * 1000,
      password_reset: config.passwordResetLifetimeSeconds * 1000,
    },
  };
}

/** Tells of mails that wait. Without a way to send them too: there may be some from before. */
export function tellOfMails(em: EntityManager, metrics: Metrics, logger: Logger): void {
  addMailMetrics({
    metrics,
    readBacklog: async () => await readMailBacklog(em),
    onError: (error) => logger.warn({ err: error }, 'the metrics of mails could not be read'),
  });
}

/** Begins to send what is to be sent, where a way is set up; undefined where none is. */
export function startMailDelivery(
  config: IdentityConfig,
  stores: { readonly em: EntityManager; readonly secretBox: SecretBox; readonly unitOfWork: UnitOfWork },
  resources: AsyncDisposableStack,
  logger: Logger,
): MailDelivery | undefined {
  if (config.mailUrl === undefined) return undefined;
  const { em, secretBox, unitOfWork } = stores;
  const mail = mailOptions(config);
  const links = { verifyEmail: config.emailVerificationUrl, resetPassword: config.passwordResetUrl };
  return resources.use(
    new MailDelivery({
      queue: new OutgoingMailRepository(em, secretBox, true),
      mailer: createMailer(config.mailUrl, parseMailSender(config.mailFrom)),
      render: (to, message) => renderMail(to, message, links),
      answerResetRequest: async (request) =>
        await answerResetRequest({ unitOfWork, mail, now: () => new Date() }, request),
      logger,
    }),
  );
}
