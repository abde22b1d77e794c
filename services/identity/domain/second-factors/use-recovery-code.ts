import { hashRecoveryCode, parseRecoveryCode } from '../recovery-code.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';

/**
 * Uses a recovery code of a user up: of any number of calls at once with one code, one is told how many are left, and the
 * others null, as for a wrong code. The code is good again where the transaction fails.
 *
 * @throws DatabaseUnavailable
 */
export async function useRecoveryCode(
  { recoveryCodes }: Pick<Repositories, 'recoveryCodes'>,
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
): Promise<{ readonly left: number } | null> {
  const parsed = parseRecoveryCode(code);
  if (!parsed.ok) return null;
  const left = await recoveryCodes.use({ userId, hash: hashRecoveryCode(userId, parsed.value), at });
  return left === null ? null : { left };
}
