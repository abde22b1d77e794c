import type { EntityManager } from '@mikro-orm/postgresql';
import type { NewRevocation, Revocations } from '../domain/revocation.ts';
import { query } from './sql.ts';

/** Any number that nothing else in the database locks: the ASCII codes of `optix-rv`, as a bigint. */
const LOCK_KEY = 0x6f_70_74_69_78_2d_72_76n;

/** Who verifies tokens has another clock, and is lenient besides. */
const CLOCK_SLACK_MS = 600_000;

/** Revocations in PostgreSQL. */
export class RevocationRepository implements Revocations {
  readonly #em: EntityManager;
  readonly #lifetimeMs: number;
  readonly #added: NewRevocation[];

  /**
   * @param lifetimeMs how long a revocation is kept: longer than any access token lasts.
   * @param added takes what was added, for the unit of work to tell of after the commit.
   */
  constructor(em: EntityManager, lifetimeMs: number, added: NewRevocation[]) {
    this.#em = em;
    this.#lifetimeMs = lifetimeMs;
    this.#added = added;
  }

  /** @throws DatabaseUnavailable */
  async add(revocations: readonly NewRevocation[], madeBefore: readonly NewRevocation[] = []): Promise<void> {
    this.#added.push(...madeBefore);
    if (revocations.length === 0) return;
    // Held until the commit, so that ids become visible in their order and a reader never has to look back.
    await query(this.#em, `select pg_advisory_xact_lock(${LOCK_KEY})`, []);
    await query(
      this.#em,
      `insert into user_service.revocations
         (kind, subject, user_id, session_id, generation, reason, created_at, expires_at)
       select kind, subject, user_id, session_id, generation, reason, created_at,
         greatest(expires_at, now() + ? * interval '1 millisecond')
       from rows from (jsonb_to_recordset(?::jsonb) as (kind text, subject text, user_id uuid, session_id uuid,
         generation int, reason text, created_at timestamptz, expires_at timestamptz)) with ordinality
         as row(kind, subject, user_id, session_id, generation, reason, created_at, expires_at, place)
       order by place`,
      // By the database's clock as well: one whose clock is slow must not have them forgotten too early.
      [this.#lifetimeMs, JSON.stringify(revocations.map((revocation) => this.#row(revocation)))],
    );
    this.#added.push(...revocations);
  }

  #row(revocation: NewRevocation): Record<string, unknown> {
    const { kind, reason, createdAt, tokenExpiresAt = createdAt } = revocation;
    const lastsUntil = Math.max(
      createdAt.getTime() + this.#lifetimeMs,
      tokenExpiresAt.getTime() + CLOCK_SLACK_MS,
    );
    return {
      kind,
      subject: subjectOf(revocation),
      user_id: kind === 'key' ? null : revocation.userId,
      session_id: kind === 'session' || kind === 'token' ? revocation.sessionId : null,
      generation: kind === 'user' ? revocation.generation : null,
      reason,
      created_at: createdAt,
      expires_at: new Date(lastsUntil),
    };
  }
}

function subjectOf(revocation: NewRevocation): string {
  switch (revocation.kind) {
    case 'session':
      return revocation.sessionId;
    case 'token':
      return revocation.tokenId;
    case 'user':
      return revocation.userId;
    case 'key':
      return revocation.keyId;
  }
}
