import { defineEntity, p } from '@mikro-orm/postgresql';
import { userReference } from './user-reference.ts';

/**
 * Lineages of refresh tokens: a row a session, rewritten with each rotation. A token leads to its row by the id that it
 * holds, so that no index has to follow the tokens.
 */
export const RefreshTokenFamilyEntity = defineEntity({
  name: 'RefreshTokenFamily',
  tableName: 'refresh_token_families',
  indexes: [
    { name: 'refresh_token_families_user_id_index', properties: ['userId', 'id'] },
    { name: 'refresh_token_families_session_id_index', properties: ['sessionId'] },
    { name: 'refresh_token_families_expires_at_index', properties: ['expiresAt'] },
  ],
  checks: [
    { name: 'refresh_token_families_token_hash_check', expression: 'octet_length(current_token_hash) = 32' },
    { name: 'refresh_token_families_generation_check', expression: 'generation >= 1' },
    {
      name: 'refresh_token_families_previous_check',
      expression:
        '(previous_token_hash is null) = (rotated_at is null) and (previous_answer is null or previous_token_hash is not null) and octet_length(previous_token_hash) = 32',
    },
    {
      name: 'refresh_token_families_revocation_check',
      expression: 'revocation_reason is null or revoked_at is not null',
    },
  ],
  properties: {
    id: p.uuid().primary(),
    userId: () => userReference('restrict'),
    /** No reference: it would be checked row by row when a partition of sessions is dropped. */
    sessionId: p.uuid(),
    deviceId: p.text().nullable(),
    createdAt: p.datetime().columnType('timestamptz'),
    lastUsedAt: p.datetime().columnType('timestamptz').nullable(),
    expiresAt: p.datetime().columnType('timestamptz'),
    /** Number of the token that is good now; the first one is 1. */
    generation: p.integer().default(1),
    /** SHA-256 of the token that is good now. */
    currentTokenHash: p.blob().hidden(),
    /** SHA-256 of the token before it. Presented again within the grace time, it is answered as the first time. */
    previousTokenHash: p.blob().nullable().hidden(),
    /** When the token before it was used. */
    rotatedAt: p.datetime().columnType('timestamptz').nullable(),
    /** What that use was answered with, sealed under a key that only the token before it gives. */
    previousAnswer: p.blob().nullable().hidden(),
    revokedAt: p.datetime().columnType('timestamptz').nullable(),
    revocationReason: p.text().nullable(),
  },
});
