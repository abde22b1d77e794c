import { defineEntity, p } from '@mikro-orm/postgresql';
import { REVOCATION_KINDS } from '../domain/revocation.ts';

/**
 * What is not to be accepted any more, until everything it is about has ended by itself. Ids are given out under a lock
 * that is held until the commit: whoever has seen an id has seen all below it.
 */
export const RevocationEntity = defineEntity({
  name: 'Revocation',
  tableName: 'revocations',
  indexes: [
    { name: 'revocations_expires_at_index', properties: ['expiresAt'] },
    // The revoked access tokens of a session.
    { name: 'revocations_session_id_index', properties: ['sessionId'], where: "kind = 'token'" },
  ],
  checks: [
    { name: 'revocations_user_check', expression: "(kind = 'user') = (generation is not null)" },
    {
      name: 'revocations_session_check',
      expression: "kind not in ('session', 'token') or session_id is not null",
    },
  ],
  properties: {
    id: p.bigint().primary().autoincrement(),
    kind: p.enum(REVOCATION_KINDS),
    /** A session's, token's, user's or key's id, as `kind` says. */
    subject: p.text(),
    userId: p.uuid().nullable(),
    sessionId: p.uuid().nullable(),
    /** Of `user`: tokens of an older generation are revoked. */
    generation: p.integer().nullable(),
    reason: p.text(),
    createdAt: p.datetime().columnType('timestamptz'),
    expiresAt: p.datetime().columnType('timestamptz'),
  },
});
