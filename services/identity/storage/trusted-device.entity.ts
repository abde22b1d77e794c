import { defineEntity, p } from '@mikro-orm/postgresql';
import { userReference } from './user-reference.ts';

/** Devices that a user has chosen to trust. */
export const TrustedDeviceEntity = defineEntity({
  name: 'TrustedDevice',
  tableName: 'trusted_devices',
  uniques: [{ name: 'trusted_devices_trust_token_hash_unique', properties: ['trustTokenHash'] }],
  indexes: [
    { name: 'trusted_devices_user_id_index', properties: ['userId', 'id'] },
    { name: 'trusted_devices_expires_at_index', properties: ['expiresAt'] },
    {
      name: 'trusted_devices_revoked_at_index',
      properties: ['revokedAt'],
      where: 'revoked_at is not null',
    },
  ],
  checks: [
    { name: 'trusted_devices_trust_token_hash_check', expression: 'octet_length(trust_token_hash) = 32' },
    { name: 'trusted_devices_use_count_check', expression: 'use_count >= 0' },
    {
      name: 'trusted_devices_revocation_check',
      expression: 'revocation_reason is null or revoked_at is not null',
    },
  ],
  properties: {
    id: p.uuid().primary(),
    userId: () => userReference('restrict'),
    deviceId: p.text().nullable(),
    deviceFingerprint: p.text().nullable(),
    deviceName: p.text().nullable(),
    /** SHA-256 of the trust token. */
    trustTokenHash: p.blob().hidden(),
    ipAddress: p.string().columnType('inet').nullable(),
    createdAt: p.datetime().columnType('timestamptz'),
    lastSeenAt: p.datetime().columnType('timestamptz'),
    useCount: p.integer().default(0),
    expiresAt: p.datetime().columnType('timestamptz'),
    revokedAt: p.datetime().columnType('timestamptz').nullable(),
    revocationReason: p.text().nullable(),
  },
});
