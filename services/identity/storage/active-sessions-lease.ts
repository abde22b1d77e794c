import type { RevocationSubject } from '../domain/revocation.ts';
import type { FeedRead } from '../domain/revocation-feed.ts';
import type { ServerFacts } from './active-sessions-server.ts';

/** How long what was read of the revocations counts as the present. A revoker who is cut off from Redis waits for longer. */
export const LEASE_MS = 1_000;
/** After a failure Redis is left alone for this long. */
const REST_MS = 1_000;
/** Longer than any entry can still be there after the revocation of what it is about. */
const MEMORY_MS = 120_000;
/** Revoked things that are remembered: some 20 MB. */
const MOST_REMEMBERED = 100_000;
/** Names in one command: Redis answers nobody else meanwhile, and the budget is for each command. */
const DELETED_AT_ONCE = 2_000;

export interface CacheLeaseOptions {
  /** Deletes keys by their names; undefined where it is not certain that they are gone. */
  readonly delete: (names: readonly string[]) => Promise<ServerFacts | undefined>;
}

/**
 * Whether this process may believe what Redis says.
 *
 * It may while it knows all revocations up to less than {@link LEASE_MS} ago and has itself deleted from Redis what they
 * are about. So nobody has to trust that another process reached Redis: a revocation that is older than the lease is
 * refused by everybody, through Redis or around it.
 */
export class CacheLease {
  readonly #delete: CacheLeaseOptions['delete'];
  /** When the last read that was carried out here began, by both clocks: one of them stands still in a suspended machine. */
  #readAt = { monotonic: Number.NEGATIVE_INFINITY, wall: Number.NEGATIVE_INFINITY };
  #restUntil = Number.NEGATIVE_INFINITY;
  #prefix: string | undefined;
  /** Names of what was revoked lately, with the time: to be deleted again from a server that is new. */
  readonly #revoked = new Map<string, number>();
  readonly #pending = new Set<string>();

  constructor(options: CacheLeaseOptions) {
    this.#delete = options.delete;
  }

  /** Whether Redis may be believed by a call that begins now. */
  get isHeld(): boolean {
    const { monotonic, wall } = this.#readAt;
    return performance.now() - monotonic < LEASE_MS && Math.abs(Date.now() - wall) < LEASE_MS;
  }

  /** Stops believing Redis until the next read is carried out there; after a failure, a second at least. */
  lose(restMs = REST_MS): void {
    this.#readAt = { monotonic: Number.NEGATIVE_INFINITY, wall: Number.NEGATIVE_INFINITY };
    this.#restUntil = Math.max(this.#restUntil, performance.now() + restMs);
  }

  /** Carries out what was read of the revocations. Never rejects. */
  async renew({ revocations, beganAt, isComplete, isLast }: FeedRead): Promise<void> {
    this.#note(revocations);
    if (!isComplete || this.#revoked.size > MOST_REMEMBERED) {
      // Too much to tell what there is in Redis that should not be: until it has run out.
      this.#revoked.clear();
      this.#pending.clear();
      this.lose(MEMORY_MS);
    }
    if (!isLast || performance.now() < this.#restUntil) return;
    const startedAt = performance.now();
    const facts = await this.#deletePending();
    if (facts === undefined) {
      this.lose();
    } else if (this.#restUntil <= startedAt) {
      this.#readAt = beganAt;
    }
  }

  async #deletePending(): Promise<ServerFacts | undefined> {
    const names = [...this.#pending];
    const facts = await this.#deleteAll(names);
    if (facts === undefined) return undefined;
    for (const name of names) this.#pending.delete(name);
    if (facts.prefix === this.#prefix) return facts;
    // Somebody may have written these to the new server before they were revoked.
    const again = await this.#deleteAll([...this.#revoked.keys()]);
    this.#prefix = again?.prefix === facts.prefix ? facts.prefix : undefined;
    return this.#prefix === undefined ? undefined : again;
  }

  /** Undefined where it is not certain that all of them are gone, from one and the same server. */
  async #deleteAll(names: readonly string[]): Promise<ServerFacts | undefined> {
    const first = await this.#delete(names.slice(0, DELETED_AT_ONCE));
    let last = first;
    for (let from = DELETED_AT_ONCE; from < names.length; from += DELETED_AT_ONCE) {
      last = await this.#delete(names.slice(from, from + DELETED_AT_ONCE));
      if (last === undefined || last.prefix !== first?.prefix) return undefined;
    }
    return last;
  }

  #note(revocations: readonly RevocationSubject[]): void {
    const now = performance.now();
    for (const name of revocations.flatMap(revokedNames)) {
      this.#revoked.delete(name);
      this.#revoked.set(name, now);
      this.#pending.add(name);
    }
    for (const [name, at] of this.#revoked) {
      if (now - at < MEMORY_MS) break;
      this.#revoked.delete(name);
      // Its entry has run out by itself: what piles up while Redis is away is no more than this.
      this.#pending.delete(name);
    }
  }
}

/** Names of the keys that a revocation makes untrue: the entry, and the permits that are out for it. */
export function revokedNames(revocation: RevocationSubject): string[] {
  switch (revocation.kind) {
    case 'session':
    case 'token':
      return [`session:${revocation.sessionId}`, `session-permit:${revocation.sessionId}`];
    case 'user':
      return [`user:${revocation.userId}`, `user-permit:${revocation.userId}`];
    case 'key':
      return [];
  }
}
