import { answerResetRequest } from '../domain/credentials/answer-reset-request.ts';
import type { MailMessage } from '../domain/outgoing-mail.ts';
import { OutgoingMailRepository } from './outgoing-mail-repository.ts';
import type { TestIdentity } from './testing-identity.ts';
import type { TestOrm } from './testing-orm.ts';

/** A mail that arrived. */
export interface ReceivedMail {
  readonly to: string;
  readonly message: MailMessage;
}

/** Takes what waits in the queue of mails, as the delivery would. */
export class TestMailbox {
  readonly #identity: TestIdentity;
  readonly #queue: OutgoingMailRepository;

  constructor(db: Pick<TestOrm, 'orm'>, identity: TestIdentity) {
    this.#identity = identity;
    this.#queue = new OutgoingMailRepository(db.orm.em, identity.secretBox, true);
  }

  /** Answers reset requests, and hands out and forgets all mails that wait. */
  async receive(): Promise<ReceivedMail[]> {
    const received: ReceivedMail[] = [];
    for (;;) {
      const at = this.#identity.now();
      const claimed = await this.#queue.claim({ at, leaseUntil: new Date(at.getTime() + 60_000), most: 100 });
      if (claimed.length === 0) return received;
      for (const mail of claimed) {
        if (mail.kind === 'unreadable') throw mail.error;
        if (mail.kind === 'reset_request') {
          await answerResetRequest(this.#identity, mail);
          continue;
        }
        received.push({ to: mail.to, message: mail.message });
        await this.#queue.remove(mail.id);
      }
    }
  }

  /** The token of the newest mail of a template. */
  async token(template: 'verify_email' | 'reset_password'): Promise<string> {
    const mail = (await this.receive()).findLast(({ message }) => message.template === template);
    if (mail === undefined || !('token' in mail.message)) throw new Error(`no mail ${template} came`);
    return mail.message.token;
  }
}
