import { defineEntity, p } from '@mikro-orm/postgresql';

/** API keys of calling backends that were made at run time. */
export const CallerKeyEntity = defineEntity({
  name: 'CallerKey',
  tableName: 'caller_keys',
  uniques: [{ name: 'caller_keys_key_hash_unique', properties: ['keyHash'] }],
  indexes: [{ name: 'caller_keys_name_index', properties: ['name', 'id'] }],
  checks: [{ name: 'caller_keys_key_hash_check', expression: 'octet_length(key_hash) = 32' }],
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    scopes: p.array().columnType('text[]'),
    /** SHA-256 of the key. */
    keyHash: p.blob().hidden(),
    createdAt: p.datetime().columnType('timestamptz'),
    /** Name of the caller that made it. */
    createdBy: p.text(),
    expiresAt: p.datetime().columnType('timestamptz').nullable(),
    revokedAt: p.datetime().columnType('timestamptz').nullable(),
    lastUsedAt: p.datetime().columnType('timestamptz').nullable(),
  },
});
