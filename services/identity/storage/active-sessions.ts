import type { LiveStates } from '../domain/introspect.ts';
import type { VerifiedToken, VerifiedTokens } from '../domain/introspect-tokens.ts';
import type { SessionPolicy } from '../domain/session-policy.ts';
import type { LiveState, SessionStateCache, StateQuery, StateStore } from '../domain/session-state.ts';
import type { Uuid } from '../domain/uuid.ts';
import { type ActiveSessionsCache, type Entries, readEntries } from './active-sessions-cache.ts';

export interface ActiveSessionsOptions {
  /** PostgreSQL: the primary, as a replica may not have heard of a revocation yet. */
  readonly store: StateStore;
  /** Null where there is no Redis. */
  readonly cache: ActiveSessionsCache | null;
  readonly verifiedTokens: Pick<VerifiedTokens, 'isCurrent'>;
  readonly sessionPolicy: SessionPolicy;
  readonly now: () => Date;
}

interface Asked extends StateQuery {
  readonly token: VerifiedToken;
  readonly resolve: (state: LiveState | null) => void;
  readonly reject: (error: unknown) => void;
}

interface Seen {
  readonly entries: Entries;
  readonly state: LiveState;
}

/** Tokens in one command and in one statement. */
const MOST_TOGETHER = 500;

/**
 * Finds what tokens stand on: in Redis while it can be believed, else in the database. What is asked in one turn of the
 * event loop shares a round trip. A question never joins a round trip that was under way when it came, so that it is
 * answered by what held when it was asked, or later.
 */
export class ActiveSessions implements LiveStates, SessionStateCache {
  readonly #options: ActiveSessionsOptions;
  #forCache: Asked[] = [];
  #forStore: Asked[] = [];
  /** What was last read of Redis for a token: the same texts need not be parsed again. */
  readonly #seen = new WeakMap<VerifiedToken, Seen>();

  constructor(options: ActiveSessionsOptions) {
    this.#options = options;
  }

  /** @throws DatabaseUnavailable */
  find(token: VerifiedToken): Promise<LiveState | null> {
    const { cache, verifiedTokens } = this.#options;
    return new Promise((resolve, reject) => {
      const { sid: sessionId, sub: userId, kid: keyId } = token.claims;
      // Immediates run once all sockets that had something to read were read.
      if (this.#forCache.length + this.#forStore.length === 0) setImmediate(this.#askAll);
      // Decided now: whoever asks after a revocation was acknowledged is not to profit from what was known before it. The
      // key of a token from before a key's revocation is looked for in the database.
      const viaCache = cache?.isCurrent === true && verifiedTokens.isCurrent(token);
      const asked = { sessionId, userId, keyId, token, resolve, reject };
      (viaCache ? this.#forCache : this.#forStore).push(asked);
    });
  }

  async forget(sessionId: Uuid): Promise<void> {
    await this.#options.cache?.forget(sessionId);
  }

  readonly #askAll = (): void => {
    const [forCache, forStore] = [this.#forCache, this.#forStore];
    this.#forCache = [];
    this.#forStore = [];
    for (const some of chunks(forCache)) void this.#askCache(some);
    for (const some of chunks(forStore)) void this.#askStore(some);
  };

  async #askCache(asked: readonly Asked[]): Promise<void> {
    const found = (await this.#options.cache?.read(asked)) ?? null;
    const left: Asked[] = [];
    for (const [index, one] of asked.entries()) {
      const entries = found?.[index] ?? null;
      const state = entries === null ? null : this.#parse(one.token, entries);
      if (state !== null && this.#isConclusive(one.token, state)) one.resolve(state);
      else left.push(one);
    }
    if (left.length > 0) await this.#askStore(left);
  }

  async #askStore(asked: readonly Asked[]): Promise<void> {
    const { cache, store } = this.#options;
    // Before the database is read: a permit from after it would let in what was revoked in between.
    const permit = cache?.isCurrent === true ? await cache.permit(asked) : null;
    try {
      const states = await store.read(asked);
      const live: (readonly [StateQuery, LiveState])[] = [];
      for (const [index, one] of asked.entries()) {
        const state = states[index] ?? null;
        if (state !== null) live.push([one, state]);
        one.resolve(state);
      }
      if (permit !== null) void cache?.fill(permit, live);
    } catch (error) {
      for (const one of asked) one.reject(error);
    }
  }

  #parse(token: VerifiedToken, entries: Entries): LiveState | null {
    const seen = this.#seen.get(token);
    if (seen?.entries[0] === entries[0] && seen.entries[1] === entries[1]) return seen.state;
    const state = readEntries(entries);
    if (state !== null) this.#seen.set(token, { entries, state });
    return state;
  }

  /** Whether the copy can't be older than the token, nor say of a session in use that it is idle. */
  #isConclusive({ claims }: VerifiedToken, { session, user }: LiveState): boolean {
    const { sessionPolicy, now } = this.#options;
    return user.tokenGeneration >= claims.gen && sessionPolicy.goesOn(session, now());
  }
}

function* chunks<T>(all: readonly T[]): Generator<readonly T[]> {
  if (all.length <= MOST_TOGETHER) {
    if (all.length > 0) yield all;
    return;
  }
  for (let from = 0; from < all.length; from += MOST_TOGETHER) yield all.slice(from, from + MOST_TOGETHER);
}
