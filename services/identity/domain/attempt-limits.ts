import { createHash } from 'node:crypto';
import type { EmailAddress } from './email.ts';
import { RateLimited } from './errors.ts';
import { type IpAddress, limitedNetwork } from './ip-address.ts';
import type { Limiter } from './limiter.ts';
import type { Uuid } from './uuid.ts';

/** The limiter's rules that identity asks. */
export type LimitedEndpoint =
  | 'auth_login'
  | 'auth_register'
  | 'auth_refresh'
  | 'auth_mfa'
  | 'auth_password_reset'
  | 'auth_email_verification';

/**
 * Counts an attempt against the address it comes from. Callers without a known address share one count: leaving the
 * address out must not be a way around the limit.
 *
 * @throws RateLimited, RateLimiterUnavailable
 */
export async function limitByAddress(
  limiter: Limiter,
  endpoint: LimitedEndpoint,
  address: IpAddress | null,
  signal?: AbortSignal,
): Promise<void> {
  await ask(limiter, endpoint, `ip:${networkOf(address)}`, signal);
}

/** The network that attempts from an address are counted against. */
export function networkOf(address: IpAddress | null): string {
  return address === null ? 'unknown' : limitedNetwork(address);
}

/**
 * Counts an attempt against an account, whether it exists or not. The key is a hash, so that the limiter's store and
 * logs hold no addresses.
 *
 * @throws RateLimited, RateLimiterUnavailable
 */
export async function limitByAccount(
  limiter: Limiter,
  endpoint: LimitedEndpoint,
  email: EmailAddress,
  signal?: AbortSignal,
): Promise<void> {
  const key = createHash('sha256')
    .update('optix.account\0')
    .update(email.normalized, 'utf8')
    .digest('base64url');
  await ask(limiter, endpoint, `account:${key}`, signal);
}

/**
 * Counts an attempt against a user whose id the caller knows.
 *
 * @throws RateLimited, RateLimiterUnavailable
 */
export async function limitByUser(
  limiter: Limiter,
  endpoint: LimitedEndpoint,
  userId: Uuid,
  signal?: AbortSignal,
): Promise<void> {
  await ask(limiter, endpoint, `user:${userId}`, signal);
}

/**
 * Counts an attempt to complete a challenge. The key is a hash of its token's hash.
 *
 * @throws RateLimited, RateLimiterUnavailable
 */
export async function limitByChallenge(
  limiter: Limiter,
  endpoint: LimitedEndpoint,
  tokenHash: Buffer,
  signal?: AbortSignal,
): Promise<void> {
  const key = createHash('sha256').update('optix.challenge\0').update(tokenHash).digest('base64url');
  await ask(limiter, endpoint, `challenge:${key}`, signal);
}

/**
 * Counts an attempt against a family of refresh tokens. The key is a hash: who knows a family's id can end its session.
 *
 * @throws RateLimited, RateLimiterUnavailable
 */
export async function limitByFamily(
  limiter: Limiter,
  endpoint: LimitedEndpoint,
  familyId: Uuid,
  signal?: AbortSignal,
): Promise<void> {
  const key = createHash('sha256').update('optix.family\0').update(familyId).digest('base64url');
  await ask(limiter, endpoint, `family:${key}`, signal);
}

async function ask(limiter: Limiter, endpoint: LimitedEndpoint, identifier: string, signal?: AbortSignal) {
  const { allowed, retryAfterMs } = await limiter.check(endpoint, identifier, signal);
  if (!allowed) throw new RateLimited(retryAfterMs);
}
