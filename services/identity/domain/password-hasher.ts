import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { type Argon2idCost, type Argon2idHash, formatArgon2id, parseArgon2id } from './argon2id-phc.ts';
import { BoundedQueue, QueueFull } from './bounded-queue.ts';
import { HashingOverloaded } from './errors.ts';
import { exceedsPasswordLength, type NewPassword, normalizePassword } from './password-policy.ts';

export interface PasswordHasherOptions extends Partial<Argon2idCost> {
  /** Hashes at once, 1 or more. Default: the cores, at most 3. */
  readonly concurrency?: number;
  /** Calls that may wait for their turn, 0 or more. Default: 64. */
  readonly queueLimit?: number;
}

const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** What one hash takes at the default cost on the hardware that was measured, with some air. */
const EXPECTED_MS = 50;

/**
 * Hashes and checks passwords with argon2id (RFC 9106) at 19 MiB, two passes, one lane: the first choice of OWASP's
 * password storage cheat sheet. Runs on libuv's threads, bounded, so that a rush of sign-ins slows down sign-in only.
 */
export class PasswordHasher {
  readonly #cost: Argon2idCost;
  readonly #queue: BoundedQueue;
  readonly #decoy: Argon2idHash;

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
    });
    this.#decoy = { ...this.#cost, salt: randomBytes(SALT_BYTES), tag: randomBytes(TAG_BYTES) };
  }

  /** Hashes running and waiting at this moment. */
  get figures(): { readonly running: number; readonly waiting: number } {
    return this.#queue.figures;
  }

  /**
   * Hashes a password for storage, in PHC string format.
   *
   * @throws HashingOverloaded past the bound; the signal's reason where it is aborted before the hashing began.
   */
  async hash(password: NewPassword, signal?: AbortSignal): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    const tag = await this.#derive(password, { ...this.#cost, salt, tag: Buffer.alloc(TAG_BYTES) }, signal);
    return formatArgon2id({ ...this.#cost, salt, tag });
  }

  /**
   * Tells whether `password` is the one that `stored` was made from. Where `stored` is null (nobody has the address)
   * or is no hash, and where the password is empty or longer than any password can be, a decoy is checked at the same
   * cost, and the answer is no.
   *
   * @throws HashingOverloaded past the bound; the signal's reason where it is aborted before the hashing began.
   */
  async verify(password: string, stored: string | null, signal?: AbortSignal): Promise<boolean> {
    const possible = password !== '' && password.isWellFormed() && !exceedsPasswordLength(password);
    const hash = stored === null || !possible ? null : parseArgon2id(stored);
    const expected = hash ?? this.#decoy;
    const tag = await this.#derive(possible ? normalizePassword(password) : '', expected, signal);
    return timingSafeEqual(tag, expected.tag) && hash !== null;
  }

  /** Whether `stored` was made at another cost than new hashes are: replace it at the next sign-in. */
  needsRehash(stored: string): boolean {
    const hash = parseArgon2id(stored);
    return (
      hash === null ||
      hash.memoryKiB !== this.#cost.memoryKiB ||
      hash.passes !== this.#cost.passes ||
      hash.parallelism !== this.#cost.parallelism ||
      hash.salt.length < SALT_BYTES ||
      hash.tag.length !== TAG_BYTES
    );
  }

  async #derive(password: string, hash: Argon2idHash, signal: AbortSignal | undefined): Promise<Buffer> {
    try {
      return await this.#queue.run(() => argon2id(password, hash), signal);
    } catch (error) {
      if (error instanceof QueueFull) throw new HashingOverloaded(error.retryAfterMs);
      throw error;
    }
  }
}

function argon2id(password: string, hash: Argon2idHash): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    argon2(
      'argon2id',
      {
        message: Buffer.from(password, 'utf8'),
        nonce: hash.salt,
        memory: hash.memoryKiB,
        passes: hash.passes,
        parallelism: hash.parallelism,
        tagLength: hash.tag.length,
      },
      (error, tag) => (error === null ? resolve(tag) : reject(error)),
    );
  });
}

/** libuv runs four threads unless told otherwise, for hashing, file access and DNS alike: one is left to the others. */
function defaultConcurrency(): number {
  return Math.max(1, Math.min(availableParallelism(), 3));
}
