import type { UserReads } from '../../domain/reads.ts';
import type { User } from '../../domain/user.ts';
import type { Uuid } from '../../domain/uuid.ts';

/** Users a statement. */
const MAX_GATHERED = 200;

interface Waiting {
  readonly id: Uuid;
  readonly showDeleted: boolean;
  readonly resolve: (user: User | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads of users in which lookups by id that arrive in one turn of the event loop share a statement: under load most of
 * what GetUser costs is the round trip to PostgreSQL. Each sees what was committed before it was asked for.
 */
export class GatheredUserReads implements UserReads {
  readonly #reads: UserReads;
  #waiting: Waiting[] = [];

  constructor(reads: UserReads) {
    this.#reads = reads;
  }

  async findById(id: Uuid, showDeleted = false): Promise<User | null> {
    return await new Promise((resolve, reject) => {
      // After all sockets were read that have something.
      if (this.#waiting.length === 0) setImmediate(this.#flush);
      this.#waiting.push({ id, showDeleted, resolve, reject });
    });
  }

  async findByEmail(normalizedEmail: string): Promise<User | null> {
    return await this.#reads.findByEmail(normalizedEmail);
  }

  async findMany(ids: readonly Uuid[], showDeleted: boolean): Promise<User[]> {
    return await this.#reads.findMany(ids, showDeleted);
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let start = 0; start < waiting.length; start += MAX_GATHERED) {
      void this.#answer(waiting.slice(start, start + MAX_GATHERED));
    }
  };

  /** Never rejects: each of those who wait is told. */
  async #answer(waiting: readonly Waiting[]): Promise<void> {
    try {
      const users = await this.#read([...new Set(waiting.map(({ id }) => id))]);
      const found = new Map(users.map((user) => [user.id, user]));
      for (const { id, showDeleted, resolve } of waiting) {
        const user = found.get(id) ?? null;
        resolve(user?.deletedAt != null && !showDeleted ? null : user);
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }

  async #read(ids: readonly Uuid[]): Promise<readonly User[]> {
    const [only] = ids;
    if (ids.length > 1 || only === undefined) return await this.#reads.findMany(ids, true);
    const user = await this.#reads.findById(only, true);
    return user === null ? [] : [user];
  }
}
