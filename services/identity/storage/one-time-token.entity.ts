import { defineEntity, p } from '@mikro-orm/postgresql';
import { ONE_TIME_PURPOSES } from '../domain/one-time-token.ts';
import { userReference } from './user-reference.ts';

/** Tokens that users get by mail. Each works once: a conditional UPDATE of `used_at` decides. */
export const OneTimeTokenEntity = defineEntity({
  name: 'OneTimeToken',
  tableName: 'one_time_tokens',
  uniques: [{ name: 'one_time_tokens_token_hash_unique', properties: ['tokenHash'] }],
  indexes: [
    { name: 'one_time_tokens_user_id_index', properties: ['userId', 'purpose'] },
    { name: 'one_time_tokens_expires_at_index', properties: ['expiresAt'] },
  ],
  checks: [{ name: 'one_time_tokens_token_hash_check', expression: 'octet_length(token_hash) = 32' }],
  properties: {
    id: p.uuid().primary(),
    userId: () => userReference('cascade'),
    purpose: p.enum(ONE_TIME_PURPOSES),
    /** SHA-256 of the token. */
    tokenHash: p.blob().hidden(),
    /** The address it was sent to: of no use once the user has another. */
    emailNormalized: p.text(),
    createdAt: p.datetime().columnType('timestamptz'),
    expiresAt: p.datetime().columnType('timestamptz'),
    /** When it was used, or became useless by a newer one. */
    usedAt: p.datetime().columnType('timestamptz').nullable(),
  },
});
