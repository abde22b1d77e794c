/** What the database's planner knows of tables. Each method throws DatabaseUnavailable where the database is away. */
export interface Statistics {
  /** Names of the tables that have changed much since their statistics were made. */
  findStale(): Promise<readonly string[]>;
  /** Makes the statistics of a table anew. */
  refresh(table: string): Promise<void>;
}
