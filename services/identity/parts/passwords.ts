import type { Logger } from '../../../runtime/logger.ts';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import { InvalidSettings } from '../../../runtime/settings.ts';
import { pause } from '../../../runtime/timers.ts';
import { type IdentityConfig, settings } from '../config.ts';
import type { PasswordBlocklist } from '../domain/password-blocklist.ts';
import { loadCommonPasswords } from '../domain/password-blocklist-common.ts';
import { PasswordHasher } from '../domain/password-hasher.ts';
import { PasswordPolicy } from '../domain/password-policy.ts';
import { HashingMetrics } from '../metrics/hashing-metrics.ts';
import type { CredentialRepository } from '../storage/credential-repository.ts';
import { InvalidPasswordBlocklist, openPasswordBlocklist } from '../storage/password-blocklist-file.ts';

/** How passwords are hashed and checked. */
export function passwordHasher(config: IdentityConfig, metrics: Metrics): PasswordHasher {
  const queueLimit = config.hashingQueue;
  const told = new HashingMetrics(metrics, { queueLimit, figures: () => hasher.figures });
  const hasher = new PasswordHasher({
    ...(config.hashingConcurrency > 0 ? { concurrency: config.hashingConcurrency } : {}),
    queueLimit,
    onHashed: (tookMs) => told.hashed(tookMs),
    onRefused: () => told.refused(),
  });
  return hasher;
}

/**
 * Which passwords may be chosen.
 *
 * @throws InvalidSettings where there is a file of passwords that can't be used.
 */
export async function openPasswordPolicy(
  config: IdentityConfig,
  resources: AsyncDisposableStack,
): Promise<PasswordPolicy> {
  const blocklists: PasswordBlocklist[] = [await loadCommonPasswords()];
  if (config.passwordBlocklistFile !== undefined) {
    try {
      blocklists.push(resources.use(await openPasswordBlocklist(config.passwordBlocklistFile)));
    } catch (error) {
      if (!(error instanceof InvalidPasswordBlocklist)) throw error;
      throw new InvalidSettings([`${settings.passwordBlocklistFile.env} ${error.message}`]);
    }
  }
  return new PasswordPolicy({ minCharacters: config.passwordMinLength, blocklists });
}

/** Doubled after each failure: it looks at all users, which must not keep a database busy that is too slow for it. */
const LEARN_AGAIN_MS = 2000;
const MAX_LEARN_AGAIN_MS = 600_000;

/**
 * Lets refused sign-ins take as long as those to accounts whose hash came from another system, once there are such
 * accounts: else their time would tell who has an account. Asks the database in the background, until it answers.
 */
export function startLearningCosts(
  hasher: PasswordHasher,
  credentials: Pick<CredentialRepository, 'sampleForeignHashes'>,
  resources: AsyncDisposableStack,
  logger: Logger,
): void {
  const end = new AbortController();
  const learn = async (): Promise<void> => {
    for (
      let waitMs = LEARN_AGAIN_MS;
      !end.signal.aborted;
      waitMs = Math.min(2 * waitMs, MAX_LEARN_AGAIN_MS)
    ) {
      try {
        await hasher.learnCosts(await credentials.sampleForeignHashes(hasher.prefix), end.signal);
        return;
      } catch (error) {
        if (end.signal.aborted) return;
        logger.debug({ err: error }, 'what stored password hashes cost could not be learned yet');
        await pause(waitMs, end.signal);
      }
    }
  };
  const learning = learn();
  resources.defer(async () => {
    end.abort();
    await learning;
  });
}
