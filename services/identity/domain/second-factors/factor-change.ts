import { InvalidAccessToken } from '../challenges/errors.ts';
import type { Device } from '../device.ts';
import { createRecoveryCodes } from '../recovery-code.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import { factorEvent } from './factor-event.ts';
import { mailFactorNotice } from './factor-mail.ts';

/** A second factor that a user added or removed. */
export interface FactorChange {
  readonly userId: Uuid;
  /** The session in which it was done. */
  readonly sessionId: Uuid | null;
  readonly factor: 'totp' | 'passkey';
  readonly device: Device;
  readonly at: Date;
  /** What the audit log says beside the factor; nothing secret or personal. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/**
 * What follows from a new second factor, in the transaction that wrote it. The caller holds the user's row.
 *
 * @returns recovery codes where it is the account's first second factor: shown once. Empty otherwise.
 * @throws InvalidAccessToken where the user was deleted; DatabaseUnavailable
 */
export async function afterFactorAdded(
  repositories: Repositories,
  change: FactorChange & {
    /** Whether there was a second factor before. */
    readonly hadFactor: boolean;
  },
): Promise<readonly string[]> {
  const { userId, sessionId, factor, device, at, hadFactor, metadata = {} } = change;
  const owner = await ownerOf(repositories, userId);
  await repositories.secondFactors.refreshFlags(userId, at);
  await repositories.securityEvents.append(
    factorEvent({
      type: 'second_factor_added',
      severity: 'low',
      description: 'A second factor was added.',
      userId,
      sessionId,
      device,
      metadata: { factor, ...metadata },
      at,
    }),
  );
  await mailFactorNotice(repositories, owner, { template: 'second_factor_added', factor, at });
  return hadFactor ? [] : await replaceRecoveryCodes(repositories, userId, at);
}

/**
 * What follows from the removal of a second factor, in the transaction that removed it: no device stands in for a second
 * factor any more, and recovery codes go with the last one. The caller holds the user's row.
 *
 * @throws InvalidAccessToken where the user was deleted; DatabaseUnavailable
 */
export async function afterFactorRemoved(repositories: Repositories, change: FactorChange): Promise<void> {
  const { userId, sessionId, factor, device, at, metadata = {} } = change;
  const owner = await ownerOf(repositories, userId);
  const hasFactor = await repositories.secondFactors.refreshFlags(userId, at);
  if (!hasFactor) await repositories.recoveryCodes.removeAll(userId);
  await repositories.trustedDevices.revokeAllOfUser({ userId, reason: 'second_factor_removed', at });
  await repositories.securityEvents.append(
    factorEvent({
      type: 'second_factor_removed',
      severity: 'medium',
      description: hasFactor ? 'A second factor was removed.' : 'The last second factor was removed.',
      userId,
      sessionId,
      device,
      metadata: { factor, ...metadata },
      at,
    }),
  );
  await mailFactorNotice(repositories, owner, { template: 'second_factor_removed', factor, at });
}

/** Gives an account recovery codes in the place of those that it has. The caller holds the user's row. */
export async function replaceRecoveryCodes(
  { recoveryCodes }: Pick<Repositories, 'recoveryCodes'>,
  userId: Uuid,
  at: Date,
): Promise<readonly string[]> {
  const codes = createRecoveryCodes(userId);
  await recoveryCodes.replace({ userId, hashes: codes.map(({ hash }) => hash), at });
  return codes.map(({ code }) => code);
}

async function ownerOf(
  { credentials }: Pick<Repositories, 'credentials'>,
  userId: Uuid,
): Promise<{ readonly id: Uuid; readonly email: string }> {
  const account = await credentials.holdAccount({ userId });
  if (account === null) throw new InvalidAccessToken();
  return { id: userId, email: account.email };
}
