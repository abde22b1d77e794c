import { defineEntity, p } from '@mikro-orm/postgresql';

/** Mails to be sent, written in the transaction that causes them, and deleted once they are sent. */
export const OutgoingMailEntity = defineEntity({
  name: 'OutgoingMail',
  tableName: 'outgoing_mails',
  indexes: [
    { name: 'outgoing_mails_next_attempt_at_index', properties: ['nextAttemptAt'] },
    { name: 'outgoing_mails_user_id_index', properties: ['userId'] },
  ],
  checks: [{ name: 'outgoing_mails_attempts_check', expression: 'attempts >= 0' }],
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    /** Recipient, template and its values, a token perhaps: sealed by the secret box for this id. */
    payload: p.blob().hidden(),
    payloadKeyId: p.text(),
    createdAt: p.datetime().columnType('timestamptz'),
    /** When it may be tried next; ahead of now also while a replica is at it. */
    nextAttemptAt: p.datetime().columnType('timestamptz'),
    attempts: p.integer().default(0),
    /** After this it is of no use and is dropped. */
    expiresAt: p.datetime().columnType('timestamptz'),
  },
});
