import { defineEntity, p } from '@mikro-orm/postgresql';
import { userReference } from './user-reference.ts';

/** Recovery codes of a user, made as a set. Each works once: a conditional UPDATE of `used_at` decides. */
export const RecoveryCodeEntity = defineEntity({
  name: 'RecoveryCode',
  tableName: 'recovery_codes',
  uniques: [{ name: 'recovery_codes_code_hash_unique', properties: ['userId', 'codeHash'] }],
  checks: [{ name: 'recovery_codes_code_hash_check', expression: 'octet_length(code_hash) = 32' }],
  properties: {
    id: p.uuid().primary(),
    userId: () => userReference('cascade'),
    /** SHA-256: a code has 120 random bits. */
    codeHash: p.blob().hidden(),
    createdAt: p.datetime().columnType('timestamptz'),
    usedAt: p.datetime().columnType('timestamptz').nullable(),
  },
});
