import type { Repositories } from '../unit-of-work.ts';
import type { DetectionPolicy } from './detection-policy.ts';
import { type Concerned, lockFor, mailAlert } from './respond.ts';

/**
 * Does what the policy says of a refresh token that was used again. Its event, `refresh_token_reused`, and the end of the
 * session are the caller's. In its transaction, which holds the user's row before that of the family: the order in which
 * everybody locks the two.
 *
 * @throws DatabaseUnavailable
 */
export async function respondToReuse(
  repositories: Pick<Repositories, 'users' | 'credentials' | 'securityEvents' | 'outgoingMails'>,
  { responses, lockMs }: Pick<DetectionPolicy, 'responses' | 'lockMs'>,
  concerned: Concerned,
): Promise<void> {
  const rule = 'refresh_token_reuse';
  const { userId, at } = concerned;
  if (responses[rule] === 'lock') await lockFor(repositories, concerned, { rule, lockMs });
  if (responses[rule] !== 'notify') return;
  const user = await repositories.users.find(userId);
  if (user === null || user.deletedAt !== null) return;
  await mailAlert(repositories, { userId, email: user.email, rule, at });
}
