import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthenticationMethod } from '../domain/authentication-context.ts';
import {
  type Challenge,
  type ChallengePurpose,
  type ChallengeReads,
  type Challenges,
  MAX_CHALLENGE_ATTEMPTS,
  type NewChallenge,
} from '../domain/challenges/challenge.ts';
import type { Uuid } from '../domain/uuid.ts';
import { AuthChallengeEntity } from './auth-challenge.entity.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { query, type TimestampText, toDate } from './sql.ts';

interface ChallengeColumns {
  id: Uuid;
  purpose: ChallengePurpose;
  user_id: Uuid | null;
  session_id: Uuid | null;
  password_digest: Buffer | null;
  amr: AuthenticationMethod[];
  device_id: string | null;
  device_fingerprint: string | null;
  webauthn_challenge: Buffer;
  created_at: TimestampText;
  expires_at: TimestampText;
  attempts: number;
}

const COLUMNS = `id, purpose, user_id, session_id, password_digest, amr, device_id, device_fingerprint,
  webauthn_challenge, created_at, expires_at, attempts`;
const UNUSED = 'used_at is null and expires_at > ?';
const OPEN = `${UNUSED} and attempts < ${MAX_CHALLENGE_ATTEMPTS}`;

/** Challenges in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class ChallengeRepository implements Challenges, ChallengeReads {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async insert({ device, amr, ...challenge }: NewChallenge): Promise<void> {
    await withDatabaseErrors(() =>
      this.#em.insert(AuthChallengeEntity, {
        ...challenge,
        amr: [...amr],
        deviceId: device.id,
        deviceFingerprint: device.fingerprint,
      }),
    );
  }

  async findOpen(tokenHash: Buffer, at: Date): Promise<Challenge | null> {
    return await this.#one(
      `select ${COLUMNS} from user_service.auth_challenges where token_hash = ? and ${OPEN}`,
      [tokenHash, at],
    );
  }

  async use({ tokenHash, at }: { readonly tokenHash: Buffer; readonly at: Date }): Promise<Challenge | null> {
    return await this.#one(
      `update user_service.auth_challenges set used_at = ? where token_hash = ? and ${UNUSED} returning ${COLUMNS}`,
      [at, tokenHash, at],
    );
  }

  async recordAttempt({
    tokenHash,
    at,
  }: {
    readonly tokenHash: Buffer;
    readonly at: Date;
  }): Promise<number | null> {
    const counted = await this.#one(
      `update user_service.auth_challenges set attempts = attempts + 1 where token_hash = ? and ${OPEN}
       returning ${COLUMNS}`,
      [tokenHash, at],
    );
    return counted === null ? null : MAX_CHALLENGE_ATTEMPTS - counted.attempts;
  }

  async endOpen(userId: Uuid, at: Date): Promise<void> {
    await query(
      this.#em,
      `update user_service.auth_challenges set used_at = ? where user_id = ? and ${UNUSED}`,
      [at, userId, at],
    );
  }

  async #one(sql: string, values: readonly unknown[]): Promise<Challenge | null> {
    const [row] = await query<ChallengeColumns>(this.#em, sql, values);
    return row === undefined ? null : toChallenge(row);
  }
}

function toChallenge(row: ChallengeColumns): Challenge {
  return {
    id: row.id,
    purpose: row.purpose,
    userId: row.user_id,
    sessionId: row.session_id,
    passwordDigest: row.password_digest,
    amr: row.amr,
    device: { id: row.device_id, fingerprint: row.device_fingerprint },
    webauthnChallenge: row.webauthn_challenge,
    createdAt: toDate(row.created_at),
    expiresAt: toDate(row.expires_at),
    attempts: row.attempts,
  };
}
