import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Revocation } from '../../gen/optix/identity/v1/token_service_pb.ts';
import type { VerifiedToken } from './verified-token.ts';

interface Entry {
  readonly reason: string;
  /** In milliseconds since 1970. */
  readonly expiresAt: number;
  /** By performance.now(), which no change of this machine's clock moves. It is dropped when both have passed. */
  readonly keptUntil: number;
}

/** Clocks differ: entries are kept for this much longer than they say, in milliseconds. */
const SLACK_MS = 60_000;
const SWEEP_INTERVAL_MS = 30_000;

/** The revocations that still matter. Each is dropped once all tokens it is about have ended, which bounds the memory. */
export class RevocationList {
  readonly #sessions = new Map<string, Entry>();
  readonly #tokens = new Map<string, Entry>();
  readonly #users = new Map<string, Entry & { readonly generation: number }>();
  readonly #keys = new Map<string, Entry>();
  #sweptAt = Number.NEGATIVE_INFINITY;

  /** How many there are. */
  get size(): number {
    return this.#sessions.size + this.#tokens.size + this.#users.size + this.#keys.size;
  }

  /** Takes revocations in. Those that are known already, as a snapshot repeats them, change nothing. */
  add(revocations: readonly Revocation[]): void {
    for (const revocation of revocations) this.#add(revocation);
    if (performance.now() - this.#sweptAt >= SWEEP_INTERVAL_MS) this.#sweep();
  }

  /** Why the token was revoked; null where it was not. */
  reasonFor(token: VerifiedToken): string | null {
    const user = this.#users.get(token.userId);
    const found =
      this.#sessions.get(token.sessionId) ??
      this.#tokens.get(token.tokenId) ??
      this.#keys.get(token.keyId) ??
      (user !== undefined && token.generation < user.generation ? user : undefined);
    return found?.reason ?? null;
  }

  #add({ subject, revokeTime, expireTime, reason }: Revocation): void {
    const expiresAt = expireTime === undefined ? Number.POSITIVE_INFINITY : timestampMs(expireTime);
    const lifetime = revokeTime === undefined ? 0 : expiresAt - timestampMs(revokeTime);
    const entry: Entry = {
      reason,
      expiresAt: expiresAt + SLACK_MS,
      keptUntil: performance.now() + lifetime,
    };
    switch (subject.case) {
      case 'sessionId':
        this.#sessions.set(subject.value, entry);
        break;
      case 'tokenId':
        this.#tokens.set(subject.value, entry);
        break;
      case 'keyId':
        this.#keys.set(subject.value, entry);
        break;
      case 'user': {
        const { userId } = subject.value;
        const generation = Number(subject.value.generation);
        const known = this.#users.get(userId);
        if (known === undefined || known.generation < generation) {
          this.#users.set(userId, { ...entry, generation });
        }
      }
    }
  }

  #sweep(): void {
    const [wall, monotonic] = [Date.now(), performance.now()];
    this.#sweptAt = monotonic;
    for (const entries of [this.#sessions, this.#tokens, this.#users, this.#keys]) {
      for (const [id, { expiresAt, keptUntil }] of entries) {
        if (expiresAt <= wall && keptUntil <= monotonic) entries.delete(id);
      }
    }
  }
}
