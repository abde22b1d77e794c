import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { BoundedQueue, QueueFull } from './bounded-queue.ts';
import { HashingOverloaded } from './errors.ts';
import { RefusalFloor } from './password-hasher-floor.ts';
import {
  type Argon2Cost,
  type Argon2Hash,
  argon2Hash,
  deriveArgon2,
  formatArgon2,
  parseArgon2,
} from './password-hashes/argon2.ts';
import { parsePasswordHash } from './password-hashes/parse-password-hash.ts';
import type { StoredHash } from './password-hashes/stored-hash.ts';
import { exceedsPasswordLength, type NormalizedPassword, normalizePassword } from './password-policy.ts';

export interface PasswordHasherOptions extends Partial<Argon2Cost> {
  /** Hashes at once, 1 or more. Default: the cores, at most 3. */
  readonly concurrency?: number;
  /** Calls that may wait for their turn, 0 or more. Default: 64. */
  readonly queueLimit?: number;
  /** Told how long each hash took, without its wait. */
  readonly onHashed?: (tookMs: number) => void;
  /** Told of each hash that was refused, as too many wait. */
  readonly onRefused?: () => void;
}

/** What became of a password that was checked. */
export interface PasswordCheck {
  readonly matches: boolean;
  /**
   * To be awaited before a sign-in is refused, whatever the reason: makes all refusals last equally long while hashes of
   * other costs than today's are stored. At once while there are none.
   */
  readonly evenOut: () => Promise<void>;
}

const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Costs that are timed in one go. */
const MOST_LEARNED = 64;
/** What one hash takes at the default cost on the hardware that was measured, with some air. */
const EXPECTED_MS = 50;

/**
 * Hashes passwords with argon2id (RFC 9106) at 19 MiB, two passes, one lane: the first choice of OWASP's password
 * storage cheat sheet. Checks them against that and every kind that {@link parsePasswordHash} knows. Runs on libuv's
 * threads, bounded, so that a rush of sign-ins slows down sign-in only.
 */
export class PasswordHasher {
  readonly #cost: Argon2Cost;
  readonly #queue: BoundedQueue;
  readonly #decoy: Argon2Hash;
  readonly #floor: RefusalFloor;
  readonly #onRefused: () => void;

  constructor(options: PasswordHasherOptions = {}) {
    this.#cost = {
      memoryKiB: options.memoryKiB ?? 19_456,
      passes: options.passes ?? 2,
      parallelism: options.parallelism ?? 1,
    };
    this.#queue = new BoundedQueue({
      concurrency: options.concurrency ?? defaultConcurrency(),
      queueLimit: options.queueLimit ?? 64,
      expectedMs: EXPECTED_MS,
      ...(options.onHashed === undefined ? {} : { onRan: options.onHashed }),
    });
    this.#onRefused = options.onRefused ?? (() => undefined);
    this.#decoy = argon2Hash(this.#parameters(), randomBytes(TAG_BYTES));
    this.#floor = new RefusalFloor(this.#decoy.cost);
  }

  /** Hashes running and waiting at this moment. */
  get figures(): { readonly running: number; readonly waiting: number } {
    return this.#queue.figures;
  }

  /** What every hash of today's cost begins with, to tell the others apart where they are stored. */
  get prefix(): string {
    const { memoryKiB, passes, parallelism } = this.#cost;
    return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${parallelism}$`;
  }

  /**
   * Hashes a password for storage, in PHC string format.
   *
   * @throws HashingOverloaded past the bound; the signal's reason where it is aborted before the hashing began.
   */
  async hash(password: NormalizedPassword, signal?: AbortSignal): Promise<string> {
    const parameters = this.#parameters();
    const tag = await this.#queued(() => deriveArgon2(password, parameters, TAG_BYTES), signal);
    return formatArgon2(argon2Hash(parameters, tag));
  }

  /** {@link check}, where nobody can learn from the time it takes: of a user who is known to exist. */
  async verify(password: string, stored: string | null, signal?: AbortSignal): Promise<boolean> {
    return (await this.check(password, stored, signal)).matches;
  }

  /**
   * Tells whether `password` is the one that `stored` was made from. Where `stored` is null (nobody has the address)
   * or is no hash, and where the password is empty or longer than any password can be, a decoy is checked at today's
   * cost, and the answer is no.
   *
   * argon2id, which is ours, takes the password's normalised form; what other systems hashed, they hashed as typed.
   *
   * @throws HashingOverloaded past the bound; the signal's reason where it is aborted before the hashing began.
   */
  async check(password: string, stored: string | null, signal?: AbortSignal): Promise<PasswordCheck> {
    const possible = password !== '' && password.isWellFormed() && !exceedsPasswordLength(password);
    const parsed = stored === null || !possible ? null : parsePasswordHash(stored);
    const hash = parsed?.ok ? parsed.value : null;
    const { startedAt, matches } = await this.#timed(hash ?? this.#decoy, possible ? password : '', signal);
    return { matches: matches && hash !== null, evenOut: () => this.#floor.wait(startedAt) };
  }

  /** Whether `stored` was made by another algorithm or at another cost than new hashes are: replace it at the next sign-in. */
  needsRehash(stored: string): boolean {
    const parsed = parseArgon2(stored);
    if (parsed === null || !parsed.ok) return true;
    const { cost, salt, tag } = parsed.value;
    return cost !== this.#decoy.cost || salt.length < SALT_BYTES || tag.length !== TAG_BYTES;
  }

  /**
   * Times one check of every cost among `stored` that was not seen yet, so that {@link PasswordCheck.evenOut} holds from
   * the first sign-in: at the start with one stored hash of each cost, and with the hashes of an import before they are
   * written. What can't be read is passed over: it is checked like an unknown address.
   *
   * @throws HashingOverloaded past the bound.
   */
  async learnCosts(stored: Iterable<string>, signal?: AbortSignal): Promise<void> {
    let learned = 0;
    for (const text of stored) {
      const parsed = parsePasswordHash(text);
      if (!parsed.ok || parsed.value.cost === this.#decoy.cost || this.#floor.knows(parsed.value.cost))
        continue;
      // Real systems have a few costs: more are made to keep the processor busy.
      learned += 1;
      if (learned > MOST_LEARNED) return;
      if (!this.#floor.knows(this.#decoy.cost)) await this.#timed(this.#decoy, '', signal);
      await this.#timed(parsed.value, '', signal);
    }
  }

  #parameters() {
    return { ...this.#cost, variant: 'argon2id', salt: randomBytes(SALT_BYTES) } as const;
  }

  async #timed(
    hash: StoredHash,
    password: string,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly startedAt: number; readonly matches: boolean }> {
    const typed = hash.algorithm === 'argon2id' ? normalizePassword(password) : password;
    return await this.#queued(async () => {
      const startedAt = performance.now();
      const matches = await hash.verify(typed);
      this.#floor.record(hash.cost, performance.now() - startedAt);
      return { startedAt, matches };
    }, signal);
  }

  async #queued<T>(task: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await this.#queue.run(task, signal);
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error;
      this.#onRefused();
      throw new HashingOverloaded(error.retryAfterMs);
    }
  }
}

/** libuv runs four threads unless told otherwise, for hashing, file access and DNS alike: one is left to the others. */
function defaultConcurrency(): number {
  return Math.max(1, Math.min(availableParallelism(), 3));
}
