import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import type { RevocationBarrier, RevocationSubject } from '../domain/revocation.ts';
import type { FeedRead } from '../domain/revocation-feed.ts';
import type { LiveState, StateQuery } from '../domain/session-state.ts';
import type { Uuid } from '../domain/uuid.ts';
import { CacheLease, LEASE_MS, revokedNames } from './active-sessions-lease.ts';
import { ActiveSessionsServer } from './active-sessions-server.ts';

export interface ActiveSessionsCacheOptions {
  /** One server, or one that sentinels tell of. */
  readonly target: RedisTarget;
  /** Most time for a command, in ms. Default: 50. */
  readonly budgetMs?: number;
}

/** Both texts that are kept of a session and its user. */
export type Entries = readonly [session: string, user: string];

/** Who may fill in what was read of the database. */
export interface Permit {
  readonly prefix: string;
  readonly value: string;
}

/** How long an entry is kept, in ms. Nothing but what is kept in memory depends on it: revoking deletes entries. */
const ENTRY_MS = 60_000;
/** How long what is read of the database may be filled in, in ms. */
const PERMIT_MS = 5_000;
/** Beyond the lease, for timers that are late. */
const LEASE_SLACK_MS = 250;

const FILL = readFileSync(new URL('./lua/fill.lua', import.meta.url), 'utf8');

/**
 * Active sessions in Redis, as a copy of what the database says. An entry says that a session goes on, and what it is
 * like; that there is none says nothing. So Redis may forget all it has at any moment.
 *
 * An entry is written by whoever was given a permit before reading the database, and revoking deletes the permit with the
 * entry: what was read before a revocation is never written after it.
 */
export class ActiveSessionsCache implements RevocationBarrier, Disposable {
  readonly #server: ActiveSessionsServer;
  readonly #lease: CacheLease;

  /** Connects in the background. */
  constructor({ target, budgetMs = 50 }: ActiveSessionsCacheOptions) {
    this.#server = new ActiveSessionsServer(target, budgetMs, () => this.#lease.lose(0));
    this.#lease = new CacheLease({ delete: (names) => this.#server.delete(names) });
  }

  /** Whether a call that begins now may believe what is here. */
  get isCurrent(): boolean {
    return this.#server.facts !== undefined && this.#lease.isHeld;
  }

  /** Carries out what was read of the revocations. */
  async renew(read: FeedRead): Promise<void> {
    await this.#lease.renew(read);
  }

  /**
   * Makes every replica refuse what was revoked in a transaction that is committed: at once where the only Redis there is
   * takes it, else by waiting until everybody has read it from the database or stopped believing Redis. Never rejects.
   */
  async enforce(revocations: readonly RevocationSubject[]): Promise<void> {
    const startedAt = performance.now();
    // Keys are kept in each process, not in Redis.
    if (revocations.every(({ kind }) => kind !== 'key')) {
      const facts = await this.#server.delete(revocations.flatMap(revokedNames));
      if (facts?.isAlone === true) return;
    }
    await sleep(LEASE_MS + LEASE_SLACK_MS - (performance.now() - startedAt));
  }

  /**
   * Forgets what is known of a session that has changed and goes on. Never rejects: what could not be deleted runs out, and
   * is not believed here meanwhile.
   */
  async forget(sessionId: Uuid): Promise<void> {
    const prefix = this.#server.facts?.prefix;
    if (prefix === undefined) return;
    // With the permits: what was read of the database before the change is not filled in after it.
    const keys = [`${prefix}:session:${sessionId}`, `${prefix}:session-permit:${sessionId}`];
    await this.#server.run((client) => client.unlink(keys)).catch(() => this.#lease.lose());
  }

  /** What is known here; null for what is not, and where Redis does not answer in time. */
  async read(queries: readonly StateQuery[]): Promise<readonly (Entries | null)[] | null> {
    const prefix = this.#server.facts?.prefix;
    if (prefix === undefined) return null;
    const keys: string[] = [];
    for (const { sessionId, userId } of queries) {
      keys.push(`${prefix}:session:${sessionId}`, `${prefix}:user:${userId}`);
    }
    try {
      const texts = await this.#server.run((client) => client.mget(keys));
      return queries.map((_, index) => {
        const session = texts[2 * index];
        const user = texts[2 * index + 1];
        return typeof session === 'string' && typeof user === 'string' ? [session, user] : null;
      });
    } catch {
      this.#lease.lose();
      return null;
    }
  }

  /** Asks for leave to fill in what will be read of the database from now on; null where it is not to be had. */
  async permit(queries: readonly StateQuery[]): Promise<Permit | null> {
    const prefix = this.#server.facts?.prefix;
    if (prefix === undefined) return null;
    const value = randomBytes(12).toString('base64url');
    try {
      await this.#server.run(async (client) => {
        const commands = client.pipeline();
        for (const { sessionId, userId } of queries) {
          commands.set(`${prefix}:session-permit:${sessionId}`, value, 'PX', PERMIT_MS);
          commands.set(`${prefix}:user-permit:${userId}`, value, 'PX', PERMIT_MS);
        }
        for (const [error] of (await commands.exec()) ?? []) if (error !== null) throw error;
      });
      return { prefix, value };
    } catch {
      this.#lease.lose();
      return null;
    }
  }

  /** Fills in what was read of the database. Never rejects: what is not filled in is read again. */
  async fill({ prefix, value }: Permit, found: readonly (readonly [StateQuery, LiveState])[]): Promise<void> {
    if (found.length === 0) return;
    const keys = found.flatMap(([{ sessionId, userId }]) => [
      `${prefix}:session-permit:${sessionId}`,
      `${prefix}:session:${sessionId}`,
      `${prefix}:user-permit:${userId}`,
      `${prefix}:user:${userId}`,
    ]);
    const texts = found.flatMap(([, state]) => writeEntries(state));
    await this.#server
      .run((client) => client.eval(FILL, keys.length, ...keys, value, ENTRY_MS, ...texts))
      .catch(() => this.#lease.lose());
  }

  [Symbol.dispose](): void {
    this.#server[Symbol.dispose]();
  }
}

/** The texts that a state is kept as. */
function writeEntries({ session, user }: LiveState): Entries {
  const { userId, expiresAt, lastActivityAt, mfaVerified, revokedTokens } = session;
  return [
    JSON.stringify([userId, expiresAt, lastActivityAt, mfaVerified, revokedTokens]),
    JSON.stringify([user.email, user.roles, user.tokenGeneration]),
  ];
}

/** The state that two texts say; null where they are not of this version's form. */
export function readEntries([sessionText, userText]: Entries): LiveState | null {
  try {
    const [userId, expiresAt, lastActivityAt, mfaVerified, revokedTokens] = JSON.parse(sessionText);
    const [email, roles, tokenGeneration] = JSON.parse(userText);
    if (!Array.isArray(revokedTokens) || !Array.isArray(roles) || !Number.isSafeInteger(tokenGeneration)) {
      return null;
    }
    return {
      session: { userId, expiresAt, lastActivityAt, mfaVerified, revokedTokens },
      user: { email, roles, tokenGeneration },
    };
  } catch {
    return null;
  }
}
