import type { Logger } from '../../../runtime/logger.ts';
import { pause } from '../../../runtime/timers.ts';
import { DatabaseUnavailable } from '../domain/errors.ts';
import { type Mailer, MailNotTaken, MailRefused, type RenderedMail } from '../domain/mailer.ts';
import type { MailMessage, MailQueue, QueuedMail, ResetRequest } from '../domain/outgoing-mail.ts';
import type { Uuid } from '../domain/uuid.ts';

export interface MailDeliveryOptions {
  readonly queue: MailQueue;
  readonly mailer: Mailer;
  readonly render: (to: string, message: MailMessage) => RenderedMail;
  /** Turns a request into a mail, where there is an account: `answerResetRequest`. */
  readonly answerResetRequest: (request: {
    readonly id: Uuid;
    readonly request: ResetRequest;
  }) => Promise<void>;
  readonly logger: Logger;
  /** Default: the system's clock. */
  readonly now?: () => Date;
  /** Time between looks at the queue, in milliseconds. Default: 1000. */
  readonly pollMs?: number;
  /** Time one mail may take, in milliseconds. Default: 30,000. */
  readonly timeoutMs?: number;
  /** The first wait after a failure, in milliseconds; each further one doubles it. Default: 10,000. */
  readonly retryMs?: number;
}

/** Mails in the making at a time. */
const CONCURRENCY = 10;
const MAX_RETRY_MS = 600_000;
/** How much longer than a try other replicas keep away from a mail, in milliseconds. */
const LEASE_SLACK_MS = 30_000;

/**
 * Sends the mails that wait in the database. Runs on every replica; each mail is taken by one. A mail is deleted after
 * the next hop has taken it: a crash in between sends it twice, none is lost. It is tried until it is of no use any more,
 * or refused for good.
 */
export class MailDelivery implements AsyncDisposable {
  readonly #options: Required<MailDeliveryOptions>;
  readonly #stopping = new AbortController();
  readonly #working = new Set<Promise<void>>();
  readonly #loop: Promise<void>;
  #wake = Promise.withResolvers<void>();

  constructor(options: MailDeliveryOptions) {
    this.#options = { now: () => new Date(), pollMs: 1000, timeoutMs: 30_000, retryMs: 10_000, ...options };
    this.#loop = this.#run();
  }

  /** Looks at the queue at once. To be called after the commit that added a mail. */
  wake(): void {
    this.#wake.resolve();
  }

  /** Stops: mails in the making are broken off and put back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new Error('the delivery of mails ends'));
    await this.#loop;
    await Promise.all(this.#working);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const free = CONCURRENCY - this.#working.size;
      const claimed = await this.#claim(free);
      for (const mail of claimed) this.#start(mail);
      if (claimed.length < free) await this.#rest();
      else await Promise.race(this.#working);
    }
  }

  /** Until the next look is due, or somebody wakes. */
  async #rest(): Promise<void> {
    const rested = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, rested.signal]);
    await Promise.race([pause(this.#options.pollMs, signal), this.#wake.promise]);
    rested.abort();
    this.#wake = Promise.withResolvers<void>();
  }

  async #claim(most: number): Promise<QueuedMail[]> {
    const { queue, now, timeoutMs, logger } = this.#options;
    const at = now();
    const leaseUntil = new Date(at.getTime() + timeoutMs + LEASE_SLACK_MS);
    try {
      return await queue.claim({ at, leaseUntil, most });
    } catch (error) {
      // The watch over the database reports its absence.
      if (!(error instanceof DatabaseUnavailable)) logger.error({ err: error }, 'mails can not be looked up');
      return [];
    }
  }

  #start(mail: QueuedMail): void {
    const work = this.#deliver(mail)
      .catch((error: unknown) => {
        this.#options.logger.error({ err: error, mail_id: mail.id }, 'the queue of mails can not be written');
      })
      .finally(() => this.#working.delete(work));
    this.#working.add(work);
  }

  async #deliver(mail: QueuedMail): Promise<void> {
    const { queue, now, logger } = this.#options;
    if (mail.expiresAt <= now()) {
      logger.error(describe(mail), 'a mail was given up: it could not be sent in time');
      return await queue.remove(mail.id);
    }
    try {
      await this.#try(mail);
    } catch (error) {
      return await this.#failed(mail, error);
    }
    // An answered request was deleted with the answer, in one transaction.
    if (mail.kind === 'mail') await queue.remove(mail.id);
  }

  async #try(mail: QueuedMail): Promise<void> {
    const { mailer, render, answerResetRequest, timeoutMs } = this.#options;
    switch (mail.kind) {
      case 'mail': {
        const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(timeoutMs)]);
        return await mailer.send(render(mail.to, mail.message), signal);
      }
      case 'reset_request':
        await answerResetRequest(mail);
        return this.wake();
      case 'unreadable':
        throw mail.error;
    }
  }

  async #failed(mail: QueuedMail, error: unknown): Promise<void> {
    const { queue, now, retryMs, logger } = this.#options;
    if (error instanceof MailRefused) {
      logger.error({ ...describe(mail), reply_code: error.replyCode }, 'a mail was refused for good');
      return await queue.remove(mail.id);
    }
    const waitMs = this.#stopping.signal.aborted
      ? 0
      : Math.min(MAX_RETRY_MS, retryMs * 2 ** Math.min(mail.attempts - 1, 30));
    const why =
      error instanceof MailNotTaken ? { code: error.code, reply_code: error.replyCode } : { err: error };
    logger.warn({ ...describe(mail), ...why, retry_ms: waitMs }, 'a mail could not be sent yet');
    await queue.retryAt(mail.id, new Date(now().getTime() + waitMs));
  }
}

/** What the log may know: neither addresses nor tokens. */
function describe(mail: QueuedMail): Record<string, unknown> {
  const template = mail.kind === 'mail' ? mail.message.template : mail.kind;
  return { mail_id: mail.id, template, attempt: mail.attempts };
}
