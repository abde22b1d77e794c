import { findStep } from '../totp.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';

/**
 * Whether a code is one of the user's authenticator app, and uses its time step up: of any number of calls at once with
 * one code, one is told true. The step is free again where the transaction fails.
 *
 * @throws SecretUnreadable where the stored secret was not sealed for this user; DatabaseUnavailable
 */
export async function verifyTotp(
  { totpAuthenticators }: Pick<Repositories, 'totpAuthenticators'>,
  {
    userId,
    code,
    at,
  }: {
    readonly userId: Uuid;
    /** As typed. */
    readonly code: string;
    readonly at: Date;
  },
): Promise<boolean> {
  const authenticator = await totpAuthenticators.findConfirmed(userId);
  if (authenticator === null) return false;
  const { id, secret, lastStep } = authenticator;
  const step = findStep({ secret, code, at, after: lastStep });
  return step !== null && (await totpAuthenticators.useStep({ id, userId, step }));
}
