import { defineEntity, p } from '@mikro-orm/postgresql';
import { SEVERITIES } from '../domain/security-event.ts';

/**
 * The audit log. It outlives what it speaks of: no foreign keys, so that a purged user or a dropped partition of
 * sessions changes no entry. Ids are UUID version 7: ranges of them are ranges of time, and the table is partitioned by id.
 *
 * What tells about a person (device, address, user agent) can be erased without spoiling the entry's integrity: what
 * stands for it in any hash over the entry is `personalHash`, which stays. Its salt goes with what it covers, so that an
 * erased address can't be found by trying.
 */
export const SecurityEventEntity = defineEntity({
  name: 'SecurityEvent',
  tableName: 'security_events',
  indexes: [
    // The events of a user, newest first.
    { name: 'security_events_user_id_index', properties: ['userId', 'id'], where: 'user_id is not null' },
    { name: 'security_events_event_type_index', properties: ['eventType', 'id'] },
    // What an operator still has to look at.
    {
      name: 'security_events_unresolved_index',
      properties: ['severity', 'id'],
      where: "not resolved and severity in ('high', 'critical')",
    },
  ],
  checks: [
    { name: 'security_events_resolution_check', expression: 'resolved = (resolved_at is not null)' },
    { name: 'security_events_personal_hash_check', expression: 'octet_length(personal_hash) = 32' },
  ],
  properties: {
    id: p.uuid().primary(),
    eventType: p.text(),
    severity: p.enum(SEVERITIES),
    description: p.text(),
    userId: p.uuid().nullable(),
    sessionId: p.uuid().nullable(),
    deviceId: p.text().nullable(),
    deviceFingerprint: p.text().nullable(),
    ipAddress: p.string().columnType('inet').nullable(),
    userAgent: p.text().nullable(),
    /** Random; null once the personal data was erased. */
    personalSalt: p.blob().nullable().hidden(),
    /** SHA-256 over the salt and the personal data; null on entries from before it was kept. */
    personalHash: p.blob().nullable(),
    metadata: p.json<Readonly<Record<string, unknown>>>().default('{}'),
    createdAt: p.datetime().columnType('timestamptz'),
    resolved: p.boolean().default(false),
    resolvedAt: p.datetime().columnType('timestamptz').nullable(),
    /** Who resolved it: a user's id or an operator's name. */
    resolvedBy: p.text().nullable(),
    resolutionNote: p.text().nullable(),
  },
});
