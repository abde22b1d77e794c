import type { NewRevocation } from './revocation.ts';
import type { Repositories } from './unit-of-work.ts';
import type { Uuid } from './uuid.ts';

/** Why sessions ended before their time. */
export const SESSION_END_REASONS = [
  'signed_out',
  'revoked',
  'idle',
  'session_limit',
  'password_changed',
  'password_reset',
  'user_suspended',
  'user_deleted',
  'refresh_token_reused',
  'second_factors_reset',
  'restored',
] as const;
export type SessionEndReason = (typeof SESSION_END_REASONS)[number];

/** Whose sessions end, and why. */
export interface SessionsToEnd {
  readonly userId: Uuid;
  /** A session that goes on; null for none. */
  readonly except: Uuid | null;
  readonly reason: SessionEndReason;
  readonly at: Date;
}

/** What ending sessions needs of a transaction. */
export type EndSessionsRepositories = Pick<Repositories, 'sessions' | 'refreshTokenFamilies' | 'revocations'>;

/** Far longer than anybody needs to tell every replica of a revocation, or clocks differ. */
const ENDED_LATELY_MS = 600_000;

/**
 * Ends sessions of a user with their refresh-token families, and revokes their access tokens. Writes revocations, so it
 * comes last in a transaction. The caller holds the lock of the user's row where no session may be opened meanwhile.
 *
 * When the unit of work is done nobody accepts a token of the user's sessions but of the one that goes on: also not of one
 * that somebody else has ended just before, and is still telling of.
 *
 * @param record writes the event, given those that went on until now; not called where there are none.
 * @returns how many sessions ended.
 * @throws DatabaseUnavailable
 */
export async function endUserSessions(
  repositories: EndSessionsRepositories,
  { userId, except, reason, at }: SessionsToEnd,
  record: (ended: readonly Uuid[]) => Promise<void> = async () => undefined,
): Promise<number> {
  const { sessions, revocations } = repositories;
  const end = { userId, reason, at };
  const ended = await closeSessions(repositories, await sessions.listLiveIds(userId, except, at), end);
  if (ended.length > 0) await record(ended);
  // Read after those: whoever was ending one of them was waited for.
  const lately = await sessions.listEndedIds(userId, new Date(at.getTime() - ENDED_LATELY_MS));
  const before = lately.filter((id) => !ended.includes(id));
  await revocations.add(sessionRevocations(ended, end), sessionRevocations(before, end));
  return ended.length;
}

/**
 * Ends these sessions of a user, as {@link endUserSessions} does with all.
 *
 * @param record writes the event, given those that went on until now; not called where there are none.
 * @returns those that went on until now.
 * @throws DatabaseUnavailable
 */
export async function endSessions(
  repositories: EndSessionsRepositories,
  { ids, ...end }: SessionEnd & { readonly ids: readonly Uuid[] },
  record: (ended: readonly Uuid[]) => Promise<void> = async () => undefined,
): Promise<readonly Uuid[]> {
  const ended = await closeSessions(repositories, ids, end);
  if (ended.length === 0) return ended;
  await record(ended);
  await repositories.revocations.add(sessionRevocations(ended, end));
  return ended;
}

/** How sessions of a user end. */
export type SessionEnd = Omit<SessionsToEnd, 'except'>;

/** Ends sessions with their refresh-token families. Their revocations are the caller's to add, as the last thing. */
export async function closeSessions(
  { sessions, refreshTokenFamilies }: Pick<EndSessionsRepositories, 'sessions' | 'refreshTokenFamilies'>,
  ids: readonly Uuid[],
  { reason, at }: SessionEnd,
): Promise<readonly Uuid[]> {
  if (ids.length === 0) return [];
  // Families before sessions, as a refresh locks its family first: the other way round the two would wait for each other.
  await refreshTokenFamilies.revokeBySession(ids, reason, at);
  return await sessions.end(ids, reason, at);
}

/** What refuses the access tokens of sessions that were ended. */
export function sessionRevocations(
  ended: readonly Uuid[],
  { userId, reason, at }: SessionEnd,
): NewRevocation[] {
  return ended.map((sessionId) => ({ kind: 'session', sessionId, userId, reason, createdAt: at }));
}
