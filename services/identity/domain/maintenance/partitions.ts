/** Tables that are partitioned by the time in their ids: a partition a month of UTC. */
export const PARTITIONED_TABLES = ['sessions_history', 'security_events', 'security_event_seals'] as const;
export type PartitionedTable = (typeof PARTITIONED_TABLES)[number];

/** Tables that old months are dropped of. The seals of the audit log go with its events. */
export type RetainedTable = Exclude<PartitionedTable, 'security_event_seals'>;

/** Partitions of tables. */
export interface Partitions {
  /**
   * Makes the partitions from the present month to `monthsAhead` months later that are missing.
   *
   * @returns their names
   * @throws DatabaseUnavailable, also where somebody holds the table
   */
  ensure(table: PartitionedTable, monthsAhead: number): Promise<readonly string[]>;
  /**
   * Drops the oldest month of a table that ended by `before`; where none is left, some of the rows of the default partition
   * from before the month of `before`. A month with a session that goes on stays.
   *
   * @param before 30 days ago at the latest
   * @returns the names of what it took from; none where nothing is left
   * @throws DatabaseUnavailable, also where somebody holds the table; RetentionRefused
   */
  dropOldest(table: RetainedTable, before: Date): Promise<readonly string[]>;
}
