import { defineEntity, p } from '@mikro-orm/postgresql';
import { userReference } from './user-reference.ts';

/**
 * Authenticator apps (RFC 6238): for a user at most one that is confirmed and one that waits for it. A time step counts
 * once: a conditional UPDATE of `last_step` decides.
 */
export const TotpAuthenticatorEntity = defineEntity({
  name: 'TotpAuthenticator',
  tableName: 'totp_authenticators',
  uniques: [
    {
      name: 'totp_authenticators_confirmed_unique',
      properties: ['userId'],
      where: 'confirmed_at is not null',
    },
    { name: 'totp_authenticators_pending_unique', properties: ['userId'], where: 'confirmed_at is null' },
  ],
  indexes: [
    { name: 'totp_authenticators_user_id_index', properties: ['userId'] },
    {
      name: 'totp_authenticators_expires_at_index',
      properties: ['expiresAt'],
      where: 'confirmed_at is null',
    },
    // What is sealed under an older key is sealed again under today's.
    { name: 'totp_authenticators_secret_key_id_index', properties: ['secretKeyId', 'id'] },
  ],
  checks: [
    {
      name: 'totp_authenticators_confirmation_check',
      expression:
        '(confirmed_at is null) = (expires_at is not null) and (confirmed_at is null) = (last_step is null)',
    },
  ],
  properties: {
    id: p.uuid().primary(),
    userId: () => userReference('cascade'),
    /** Sealed by the secret box, for this user. */
    secret: p.blob().hidden(),
    secretKeyId: p.text(),
    createdAt: p.datetime().columnType('timestamptz'),
    /** Until when it can be confirmed; null once it was. */
    expiresAt: p.datetime().columnType('timestamptz').nullable(),
    confirmedAt: p.datetime().columnType('timestamptz').nullable(),
    /** The last time step that a code was accepted for. */
    lastStep: p.bigint().nullable(),
  },
});
