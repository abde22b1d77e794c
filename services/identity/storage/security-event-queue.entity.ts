import { defineEntity, p } from '@mikro-orm/postgresql';

/** Entries of the audit log that wait to be sealed. */
export const SecurityEventQueueEntity = defineEntity({
  name: 'SecurityEventQueue',
  tableName: 'security_event_queue',
  properties: {
    eventId: p.uuid().primary(),
    queuedAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
});
