import { defineEntity, p } from '@mikro-orm/postgresql';

/** Requests with an id that were answered: the same one again gets the same answer (https://google.aip.dev/155). */
export const AnsweredRequestEntity = defineEntity({
  name: 'AnsweredRequest',
  tableName: 'answered_requests',
  indexes: [
    { name: 'answered_requests_created_at_index', properties: ['createdAt'] },
    { name: 'answered_requests_user_id_index', properties: ['userId'], where: 'user_id is not null' },
  ],
  properties: {
    /** Name of the calling backend; empty where callers are not authenticated. */
    caller: p.text().primary(),
    /** Full name of the RPC. */
    rpc: p.text().primary(),
    requestId: p.text().primary(),
    /** HMAC-SHA-256 of the request: whether it is the same one. Keyed, as requests hold passwords. */
    requestMac: p.blob().hidden(),
    /** Whom the answer is about: it goes with them. */
    userId: p.uuid().nullable(),
    answer: p.json<unknown>(),
    createdAt: p.datetime().columnType('timestamptz'),
  },
});
