import { defineEntity, p } from '@mikro-orm/postgresql';
import type { PublicJwk } from '../domain/signing-key.ts';

/** Keys that access tokens are signed with. The index on active keys decides which of two replicas' first keys counts. */
export const SigningKeyEntity = defineEntity({
  name: 'SigningKey',
  tableName: 'signing_keys',
  uniques: [
    { name: 'signing_keys_kid_unique', properties: ['kid'] },
    { name: 'signing_keys_active_unique', properties: ['status'], where: "status = 'active'" },
    { name: 'signing_keys_next_unique', properties: ['status'], where: "status = 'next'" },
  ],
  checks: [
    { name: 'signing_keys_retired_check', expression: "(status = 'retired') = (retired_at is not null)" },
    { name: 'signing_keys_activated_check', expression: "(status = 'next') = (activated_at is null)" },
  ],
  properties: {
    id: p.uuid().primary(),
    /** RFC 7638 thumbprint of the public key. */
    kid: p.text(),
    algorithm: p.enum(['EdDSA', 'ES256'] as const),
    status: p.enum(['next', 'active', 'retired'] as const),
    /** For people who look: what is trusted is derived from the private part. */
    publicJwk: p.json<PublicJwk>(),
    /** PKCS #8, sealed by the secret box for this kid. */
    privateKey: p.blob().hidden(),
    privateKeyKeyId: p.text(),
    createdAt: p.datetime().columnType('timestamptz'),
    /** Since when it signs. */
    activatedAt: p.datetime().columnType('timestamptz').nullable(),
    retiredAt: p.datetime().columnType('timestamptz').nullable(),
  },
});
