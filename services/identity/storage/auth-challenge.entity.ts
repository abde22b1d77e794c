import { defineEntity, p } from '@mikro-orm/postgresql';
import { CHALLENGE_PURPOSES } from '../domain/challenges/challenge.ts';
import { userReference } from './user-reference.ts';

/** What a user has still to show. Each is completed once: a conditional UPDATE of `used_at` decides. */
export const AuthChallengeEntity = defineEntity({
  name: 'AuthChallenge',
  tableName: 'auth_challenges',
  uniques: [{ name: 'auth_challenges_token_hash_unique', properties: ['tokenHash'] }],
  indexes: [
    { name: 'auth_challenges_user_id_index', properties: ['userId'], where: 'user_id is not null' },
    { name: 'auth_challenges_expires_at_index', properties: ['expiresAt'] },
  ],
  checks: [
    { name: 'auth_challenges_token_hash_check', expression: 'octet_length(token_hash) = 32' },
    { name: 'auth_challenges_attempts_check', expression: 'attempts >= 0' },
    {
      name: 'auth_challenges_subject_check',
      expression:
        "(purpose = 'passkey_sign_in' or user_id is not null) and (purpose not in ('step_up', 'passkey_registration') or session_id is not null)",
    },
  ],
  properties: {
    id: p.uuid().primary(),
    /** SHA-256 of the token. */
    tokenHash: p.blob().hidden(),
    purpose: p.enum(CHALLENGE_PURPOSES),
    /** Null where a passkey is to tell who it is. */
    userId: () => userReference('cascade').nullable(),
    /** The session that goes on with it; null where one is to be opened. */
    sessionId: p.uuid().nullable(),
    /** SHA-256 of the password hash that was checked before: of no use once the user has another password. */
    passwordDigest: p.blob().nullable().hidden(),
    /** What was shown before (RFC 8176). */
    amr: p.text().array(),
    /** The device it was made for; null where it had none. */
    deviceId: p.text().nullable(),
    deviceFingerprint: p.text().nullable(),
    /** What a passkey has to sign. */
    webauthnChallenge: p.blob(),
    createdAt: p.datetime().columnType('timestamptz'),
    expiresAt: p.datetime().columnType('timestamptz'),
    /** Proofs that were wrong. */
    attempts: p.integer().default(0),
    usedAt: p.datetime().columnType('timestamptz').nullable(),
  },
});
