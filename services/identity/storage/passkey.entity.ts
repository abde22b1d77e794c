import { defineEntity, p } from '@mikro-orm/postgresql';
import { userReference } from './user-reference.ts';

/** WebAuthn credentials. */
export const PasskeyEntity = defineEntity({
  name: 'Passkey',
  tableName: 'passkeys',
  uniques: [{ name: 'passkeys_credential_id_unique', properties: ['credentialId'] }],
  indexes: [{ name: 'passkeys_user_id_index', properties: ['userId', 'id'] }],
  checks: [
    { name: 'passkeys_sign_count_check', expression: 'sign_count >= 0' },
    {
      name: 'passkeys_credential_id_check',
      expression: 'octet_length(credential_id) >= 1 and octet_length(credential_id) <= 1023',
    },
  ],
  properties: {
    id: p.uuid().primary(),
    userId: () => userReference('cascade'),
    credentialId: p.blob(),
    /** COSE_Key (RFC 9052 section 7). */
    publicKey: p.blob(),
    /** What the authenticator counted last; 0 where it does not count. */
    signCount: p.bigint(),
    /** The authenticator's model; null where it does not say. */
    aaguid: p.uuid().nullable(),
    transports: p.text().array(),
    name: p.text().nullable(),
    deviceType: p.enum(['single_device', 'multi_device'] as const),
    backedUp: p.boolean(),
    createdAt: p.datetime().columnType('timestamptz'),
    lastUsedAt: p.datetime().columnType('timestamptz').nullable(),
  },
});
