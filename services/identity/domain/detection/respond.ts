import { v7 as uuidV7 } from 'uuid';
import type { Device } from '../device.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import type { DetectionRule } from './rules.ts';

/** Whom a finding is about. */
export interface Concerned {
  readonly userId: Uuid;
  readonly sessionId: Uuid | null;
  readonly device: Device;
  readonly at: Date;
}

/** How long an alert is worth sending, in milliseconds. */
const ALERT_MS = 3 * 24 * 3_600_000;

/** Tells the owner of an account what a rule found. @throws DatabaseUnavailable */
export async function mailAlert(
  { outgoingMails }: Pick<Repositories, 'outgoingMails'>,
  { userId, email, rule, at }: { userId: Uuid; email: string; rule: DetectionRule; at: Date },
): Promise<void> {
  await outgoingMails.add({
    userId,
    to: email,
    message: { template: 'security_alert', finding: rule, at },
    createdAt: at,
    expiresAt: new Date(at.getTime() + ALERT_MS),
  });
}

/** Records that a rule locked an account. @throws DatabaseUnavailable */
export async function appendAccountLocked(
  { securityEvents }: Pick<Repositories, 'securityEvents'>,
  { userId, sessionId, device, at }: Concerned,
  { rule, until }: { readonly rule: DetectionRule; readonly until: Date },
): Promise<void> {
  await securityEvents.append({
    id: uuidV7() as Uuid,
    type: 'account_locked',
    severity: 'medium',
    description: 'Something that did not fit locked the account.',
    userId,
    sessionId,
    device,
    metadata: { reason: rule, until: until.toISOString() },
    createdAt: at,
  });
}

/**
 * Locks an account for what a rule found, and tells its owner. Its sessions go on. Nothing where the user is deleted.
 *
 * @throws DatabaseUnavailable
 */
export async function lockFor(
  repositories: Pick<Repositories, 'credentials' | 'securityEvents' | 'outgoingMails'>,
  concerned: Concerned,
  { rule, lockMs }: { readonly rule: DetectionRule; readonly lockMs: number },
): Promise<void> {
  const { userId, at } = concerned;
  const until = new Date(at.getTime() + lockMs);
  const email = await repositories.credentials.lockAccount({ userId, until });
  if (email === null) return;
  await appendAccountLocked(repositories, concerned, { rule, until });
  await mailAlert(repositories, { userId, email, rule, at });
}
