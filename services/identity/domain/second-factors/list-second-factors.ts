import { UserNotFound } from '../errors.ts';
import type { Uuid } from '../uuid.ts';
import type { SecondFactorDeps } from './second-factor-deps.ts';
import type { SecondFactorSummary } from './second-factors.ts';

/** Which second factors a user has who is not deleted. @throws UserNotFound, DatabaseUnavailable */
export async function listSecondFactors(
  { secondFactors }: Pick<SecondFactorDeps, 'secondFactors'>,
  userId: Uuid,
): Promise<SecondFactorSummary> {
  const found = await secondFactors.find(userId);
  if (found === null) throw new UserNotFound();
  return found;
}
