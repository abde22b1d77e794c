import { closeSessions, sessionRevocations } from './end-sessions.ts';
import { sessionEvent } from './session-event.ts';
import type { Repositories } from './unit-of-work.ts';
import type { Uuid } from './uuid.ts';

export interface SessionPolicyOptions {
  /** Sessions that a user may have at a time, from 1 up. Default: 20. */
  readonly sessionsPerUser?: number;
  /** A session ends that was not used for so long, in ms; longer than an access token lasts. Default: 24 hours. */
  readonly idleTimeoutMs?: number;
}

/** When a session ends by itself, and when it was last used. */
export interface SessionTimes {
  readonly expiresAt: number | Date;
  readonly lastActivityAt: number | Date;
}

/** A session that is about to be opened. */
export interface OpeningSession {
  readonly userId: Uuid;
  readonly at: Date;
}

/**
 * Use is written back every ten seconds by each replica, and later where the database is slow: a session that may have
 * been used meanwhile is not idle yet.
 */
const WRITE_BACK_LAG_MS = 15_000;

/** How many sessions a user may have, and how long a session goes on without being used (OWASP ASVS 5.0, 7.1 and 7.3). */
export class SessionPolicy {
  readonly #sessionsPerUser: number;
  readonly #idleTimeoutMs: number;

  constructor({ sessionsPerUser = 20, idleTimeoutMs = 86_400_000 }: SessionPolicyOptions = {}) {
    this.#sessionsPerUser = sessionsPerUser;
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  /**
   * Whether a session has neither run out nor been left unused for too long.
   *
   * @param at and the session's times: in milliseconds since 1970, or dates.
   */
  goesOn({ expiresAt, lastActivityAt }: SessionTimes, at: number | Date): boolean {
    const now = Number(at);
    return Number(expiresAt) > now && Number(lastActivityAt) >= now - this.#idleTimeoutMs - WRITE_BACK_LAG_MS;
  }

  /** A session that was last used before this is idle. */
  idleSince(at: Date): Date {
    return new Date(at.getTime() - this.#idleTimeoutMs - WRITE_BACK_LAG_MS);
  }

  /**
   * Makes room for a session: ends those of the user that are idle, and then the oldest ones, so that with the new one
   * there are as many as may be. Call it before the new session is inserted, in a transaction that has the lock of the
   * user's row. Writes revocations where it ends any.
   *
   * @throws DatabaseUnavailable
   */
  async beforeOpen(
    repositories: Pick<Repositories, 'sessions' | 'refreshTokenFamilies' | 'revocations' | 'securityEvents'>,
    { userId, at }: OpeningSession,
  ): Promise<void> {
    const { sessions, securityEvents, revocations } = repositories;
    const live = await sessions.listLiveIds(userId, null, at);
    if (live.length < this.#sessionsPerUser) return;
    const idle = new Set(await sessions.listIdleIds(userId, this.idleSince(at), at));
    const inUse = live.filter((id) => !idle.has(id));
    const excess = inUse.slice(0, Math.max(0, inUse.length - this.#sessionsPerUser + 1));
    const ends = {
      idle: { userId, reason: 'idle', at },
      excess: { userId, reason: 'session_limit', at },
    } as const;
    const endedIdle = await closeSessions(repositories, [...idle], ends.idle);
    const ended = await closeSessions(repositories, excess, ends.excess);
    for (const sessionId of ended) {
      const event = sessionEvent({
        type: 'session_limit_reached',
        severity: 'low',
        description: 'A session was ended to make room for a new one.',
        userId,
        sessionId,
        metadata: { limit: this.#sessionsPerUser },
        at,
      });
      await securityEvents.append(event);
    }
    await revocations.add([
      ...sessionRevocations(endedIdle, ends.idle),
      ...sessionRevocations(ended, ends.excess),
    ]);
  }
}
