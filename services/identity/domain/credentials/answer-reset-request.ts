import { v7 as uuidV7 } from 'uuid';
import type { ResetRequest } from '../outgoing-mail.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import { mailOneTimeToken, type OneTimeMailOptions } from './one-time-mail.ts';

export interface AnswerResetRequestDeps {
  readonly unitOfWork: UnitOfWork;
  readonly mail: OneTimeMailOptions;
  readonly now: () => Date;
}

/**
 * Answers a request for a password reset, once: where an active account has the address, a mail with a token is put in
 * the queue. Recorded either way. An account without a password can get one by this.
 *
 * @throws DatabaseUnavailable
 */
export async function answerResetRequest(
  { unitOfWork, mail, now }: AnswerResetRequestDeps,
  { id, request }: { readonly id: Uuid; readonly request: ResetRequest },
): Promise<void> {
  await unitOfWork.transactional(async (repositories) => {
    const { credentials, outgoingMails, securityEvents } = repositories;
    if (!(await outgoingMails.takeResetRequest(id))) return;
    const at = now();
    const { normalizedEmail } = request;
    const account = await credentials.holdAccount({ normalizedEmail });
    if (account?.isActive === true) {
      await mailOneTimeToken(mail, repositories, { ...account, purpose: 'password_reset', at });
    }
    await securityEvents.append({
      id: uuidV7() as Uuid,
      type: 'password_reset_requested',
      severity: 'low',
      description: 'A mail to reset a password was asked for.',
      userId: account?.userId ?? null,
      sessionId: null,
      device: request.device,
      metadata: { mailed: account?.isActive === true },
      createdAt: at,
    });
  });
}
