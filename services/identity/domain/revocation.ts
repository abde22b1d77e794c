import type { Uuid } from './uuid.ts';

/** What a revocation is about: a session, one access token, a user's tokens up to now, or a signing key's. */
export const REVOCATION_KINDS = ['session', 'token', 'user', 'key'] as const;
export type RevocationKind = (typeof REVOCATION_KINDS)[number];

/** Something that is not to be accepted any more. */
export type RevocationSubject =
  | { readonly kind: 'session'; readonly sessionId: Uuid; readonly userId: Uuid }
  /** The access token with this `jti`, of this session. */
  | { readonly kind: 'token'; readonly tokenId: string; readonly sessionId: Uuid; readonly userId: Uuid }
  /** Access tokens of the user whose claim `gen` is less than `generation`. */
  | { readonly kind: 'user'; readonly userId: Uuid; readonly generation: number }
  /** Access tokens that were signed with this key. */
  | { readonly kind: 'key'; readonly keyId: string };

/** A revocation to be written. */
export type NewRevocation = RevocationSubject & {
  /** For example `signed_out`: what watchers are told. */
  readonly reason: string;
  readonly createdAt: Date;
  /** When the token it is about ends, where that is known: it may have been issued when tokens lasted longer. */
  readonly tokenExpiresAt?: Date;
};

/** A revocation as it is kept. */
export type Revocation = NewRevocation & {
  /** Rises with each one; who has seen an id has seen all below it. */
  readonly id: bigint;
  /** When every token it is about has ended by itself: then it is forgotten. */
  readonly expiresAt: Date;
};

/** What is written to revocations. */
export interface Revocations {
  /**
   * Adds revocations to the transaction. Call it last: it takes a lock that all who revoke wait for, until the commit.
   * The unit of work tells every replica's caches after the commit and before its promise is fulfilled.
   *
   * @param madeBefore those of others, which are not written but told once more: who made them may have died before
   *   everybody knew, and what is about to be answered says that they hold.
   */
  add(revocations: readonly NewRevocation[], madeBefore?: readonly NewRevocation[]): Promise<void>;
}

/** Makes every replica refuse what was revoked. */
export interface RevocationBarrier {
  /** Fulfilled once nobody accepts it any more. Whoever answers that something is revoked has waited for this. */
  enforce(revocations: readonly RevocationSubject[]): Promise<void>;
}

/** Where everything is asked of the database each time, nobody accepts what is revoked once that is committed. */
export const COMMITTED_IS_ENFORCED: RevocationBarrier = {
  enforce: async () => undefined,
};
