import { defineEntity, p } from '@mikro-orm/postgresql';

/**
 * The chain over the audit log: an entry's place in it, and hashes over the entry and all before it. Partitioned by
 * the events' ids, as the events are, so that retention drops both together. The service may add seals and change none.
 */
export const SecurityEventSealEntity = defineEntity({
  name: 'SecurityEventSeal',
  tableName: 'security_event_seals',
  indexes: [{ name: 'security_event_seals_sequence_index', properties: ['sequence'] }],
  checks: [
    {
      name: 'security_event_seals_hash_check',
      expression: 'octet_length(event_hash) = 32 and octet_length(chain_hash) = 32',
    },
    { name: 'security_event_seals_sequence_check', expression: 'sequence > 0' },
  ],
  properties: {
    eventId: p.uuid().primary(),
    /** From 1, without gaps. */
    sequence: p.bigint(),
    eventHash: p.blob(),
    chainHash: p.blob(),
    sealedAt: p.datetime().columnType('timestamptz'),
  },
});
