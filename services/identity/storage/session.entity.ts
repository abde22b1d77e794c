import { defineEntity, p } from '@mikro-orm/postgresql';
import { userReference } from './user-reference.ts';

/**
 * Sessions, those that go on and those that have ended. Ids are UUID version 7: ranges of them are ranges of time, so the
 * table is partitioned by id, and an id leads to its partition (migrations/, docs/postgresql.md).
 */
export const SessionEntity = defineEntity({
  name: 'Session',
  tableName: 'sessions_history',
  indexes: [
    // The sessions of a user, newest first, and those among them that go on.
    { name: 'sessions_history_user_id_index', properties: ['userId', 'id'] },
    {
      name: 'sessions_history_user_id_live_index',
      properties: ['userId', 'expiresAt'],
      where: 'terminated_at is null',
    },
  ],
  checks: [
    {
      name: 'sessions_history_termination_check',
      expression: 'termination_reason is null or terminated_at is not null',
    },
  ],
  properties: {
    id: p.uuid().primary(),
    userId: () => userReference('restrict'),
    deviceId: p.text().nullable(),
    deviceFingerprint: p.text().nullable(),
    deviceName: p.text().nullable(),
    ipAddress: p.string().columnType('inet').nullable(),
    userAgent: p.text().nullable(),
    createdAt: p.datetime().columnType('timestamptz'),
    expiresAt: p.datetime().columnType('timestamptz'),
    terminatedAt: p.datetime().columnType('timestamptz').nullable(),
    terminationReason: p.text().nullable(),
    lastActivityAt: p.datetime().columnType('timestamptz'),
    mfaVerified: p.boolean().default(false),
    isTrustedDevice: p.boolean().default(false),
    /** How the user authenticated (RFC 8176). */
    amr: p.text().array().default(['pwd']),
    /** When the user did so last; null: when the session was opened. */
    authenticatedAt: p.datetime().columnType('timestamptz').nullable(),
  },
});
