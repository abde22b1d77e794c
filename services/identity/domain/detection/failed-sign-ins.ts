import { v7 as uuidV7 } from 'uuid';
import type { FailureFindings, FailureWatch } from '../credential-store.ts';
import { NO_DEVICE } from '../credentials/no-device.ts';
import type { Device } from '../device.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import type { AccountTags } from './account-tags.ts';
import { type DetectionPolicy, FAILURE_WINDOW_MS } from './detection-policy.ts';
import { finding } from './finding.ts';
import { appendAccountLocked, mailAlert } from './respond.ts';

export interface FailureDetectionDeps {
  readonly detectionPolicy: DetectionPolicy;
  readonly accountTags: AccountTags;
}

const WINDOW_SECONDS = FAILURE_WINDOW_MS / 1000;

/**
 * What a failed sign-in is to be counted for.
 *
 * @param account what was tried: a user's id, or where nobody is known the normalized address; null where nobody was named
 */
export function failureWatch(
  { detectionPolicy, accountTags }: FailureDetectionDeps,
  account: string | null,
  device: Device,
): FailureWatch {
  const { responses, stuffingAccounts, burstFailures, lockMs } = detectionPolicy;
  const lockFor = (response: string) => (response === 'lock' ? lockMs : null);
  const { credential_stuffing: stuffing, failure_burst: burst } = responses;
  return {
    windowMs: FAILURE_WINDOW_MS,
    // Callers without a known address share one network: it would be the whole world's failures that are counted.
    stuffing:
      stuffing === 'off' || account === null || device.ipAddress === null
        ? null
        : { accountTag: accountTags.of(account), accounts: stuffingAccounts, lockMs: lockFor(stuffing) },
    burst: burst === 'off' ? null : { failures: burstFailures, lockMs: lockFor(burst) },
  };
}

/** Writes the events and mails of what failed sign-ins were found to be. @throws DatabaseUnavailable */
export async function recordFailureFindings(
  repositories: Repositories,
  { responses }: DetectionPolicy,
  { stuffing, burst }: FailureFindings,
  failed: { readonly userId: Uuid | null; readonly device: Device; readonly at: Date },
): Promise<void> {
  const { userId, device, at } = failed;
  const event = { sessionId: null, createdAt: at };
  if (stuffing !== null) {
    const found = finding(
      'credential_stuffing',
      'Sign-ins to many accounts failed from one network within minutes.',
      { accounts: stuffing.accounts, window_seconds: WINDOW_SECONDS },
    );
    await repositories.securityEvents.append({
      ...event,
      id: uuidV7() as Uuid,
      type: found.rule,
      severity: found.severity,
      description: found.description,
      // Nobody's event, so that no purge would find what tells about the last one who failed: the network alone.
      userId: null,
      device: { ...NO_DEVICE, ipAddress: device.ipAddress },
      metadata: { ...found.metadata, response: responses[found.rule] },
    });
  }
  if (burst === null || userId === null) return;
  const found = finding('failure_burst', 'Many sign-ins to one account failed within minutes.', {
    failures: burst.failures,
    window_seconds: WINDOW_SECONDS,
  });
  const { rule } = found;
  await repositories.securityEvents.append({
    ...event,
    id: uuidV7() as Uuid,
    type: rule,
    severity: found.severity,
    description: found.description,
    userId,
    device,
    metadata: { ...found.metadata, response: responses[rule] },
  });
  const { email, lockedUntil, isFirstOfDay } = burst;
  const concerned = { userId, sessionId: null, device, at };
  if (lockedUntil !== null) await appendAccountLocked(repositories, concerned, { rule, until: lockedUntil });
  // Whoever keeps guessing must not fill the owner's mailbox.
  if (isFirstOfDay && responses[rule] !== 'record')
    await mailAlert(repositories, { userId, email, rule, at });
}
