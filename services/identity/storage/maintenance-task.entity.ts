import { defineEntity, p } from '@mikro-orm/postgresql';

/** Maintenance: when each task ran and is to run again, and which replica runs them. */
export const MaintenanceTaskEntity = defineEntity({
  name: 'MaintenanceTask',
  tableName: 'maintenance_tasks',
  properties: {
    /** `scheduler` is the row by which replicas agree on who runs the others. */
    name: p.text().primary(),
    nextRunAt: p.datetime().columnType('timestamptz'),
    lastStartedAt: p.datetime().columnType('timestamptz').nullable(),
    lastFinishedAt: p.datetime().columnType('timestamptz').nullable(),
    lastSucceededAt: p.datetime().columnType('timestamptz').nullable(),
    /** Empty after a success. */
    lastError: p.text().default(''),
    /** What the last run dealt with: rows, partitions. */
    lastCount: p.bigint().default(0),
    totalCount: p.bigint().default(0),
    /** Which replica holds the row, and until when. */
    leaseHolder: p.text().nullable(),
    leaseUntil: p.datetime().columnType('timestamptz').nullable(),
  },
});
