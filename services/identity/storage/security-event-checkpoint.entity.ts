import { defineEntity, p } from '@mikro-orm/postgresql';

/**
 * Where the chain begins once retention has dropped its older part. Written by `drop_partitions` alone: the service may
 * read it.
 */
export const SecurityEventCheckpointEntity = defineEntity({
  name: 'SecurityEventCheckpoint',
  tableName: 'security_event_checkpoints',
  checks: [{ name: 'security_event_checkpoints_hash_check', expression: 'octet_length(chain_hash) = 32' }],
  properties: {
    /** Of the last seal that was dropped; those before are dropped too, or can't be checked any more. */
    sequence: p.bigint().primary().autoincrement(false),
    chainHash: p.blob(),
    /** Events with a lesser id are gone. */
    droppedBefore: p.uuid(),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
});
