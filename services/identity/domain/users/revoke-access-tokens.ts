import type { Repositories } from '../unit-of-work.ts';
import type { User } from '../user.ts';

/**
 * Revokes a user's access tokens of generations before the present one. Comes last in a transaction. Also where nothing
 * changed, as long as the answer says that they are revoked: the call that changed it may still be telling the replicas.
 */
export async function revokeAccessTokens(
  { revocations }: Pick<Repositories, 'revocations'>,
  { id, tokenGeneration }: User,
  reason: string,
  at: Date,
): Promise<void> {
  await revocations.add([{ kind: 'user', userId: id, generation: tokenGeneration, reason, createdAt: at }]);
}
