import type { Pool, PoolClient } from 'pg';
import { statementText, withoutLiterals } from './sql-text.ts';

/** The server knows no generic plans. */
export class PlansUnsupported extends Error {
  constructor() {
    super('the plans of statements can only be told by PostgreSQL 16 and newer');
    this.name = 'PlansUnsupported';
  }
}

export interface PlanReaderOptions {
  /** Least version of a server that is asked, as `server_version_num`. Default: 160000, the first with GENERIC_PLAN. */
  readonly leastVersion?: number;
  /** A clock that never goes back, in milliseconds. */
  readonly now?: () => number;
}

/** How often one text is explained at most, in milliseconds. */
const EVERY_MS = 60_000;
/** Texts whose time is remembered. */
const MAX_REMEMBERED = 1000;
/** What the plan may take, in milliseconds: little, as what was slow may have been a lock that is still held. */
const STATEMENT_TIMEOUT_MS = 1000;
const LOCK_TIMEOUT_MS = 100;
/** Longest statement that is explained, in characters. */
const MAX_LENGTH = 10_000;

/**
 * Asks for the plans of statements, on connections of the pool that is theirs: generic plans, which stand on no values and
 * run nothing. One at a time, each text once a minute, and not where that would keep a caller from a connection.
 */
export class PlanReader {
  readonly #pool: Pool;
  readonly #leastVersion: number;
  readonly #now: () => number;
  readonly #readAt = new Map<string, number>();
  #isReading = false;

  constructor(pool: Pool, { leastVersion = 160_000, now = () => performance.now() }: PlanReaderOptions = {}) {
    this.#pool = pool;
    this.#leastVersion = leastVersion;
    this.#now = now;
  }

  /**
   * The plan of a statement, as EXPLAIN writes it, without literals.
   *
   * @returns undefined where it has none, or it is not read now
   * @throws PlansUnsupported, or what the driver throws
   */
  async read(sql: string): Promise<string | undefined> {
    if (this.#isReading || !this.#hasRoom() || !isExplainable(sql)) return undefined;
    if (!this.#isDue(statementText(sql))) return undefined;
    this.#isReading = true;
    try {
      const client = await this.#pool.connect();
      try {
        return await this.#explain(client, sql);
      } finally {
        client.release();
      }
    } finally {
      this.#isReading = false;
    }
  }

  #hasRoom(): boolean {
    const { idleCount, totalCount, waitingCount, options } = this.#pool;
    return waitingCount === 0 && (idleCount > 0 || totalCount < options.max);
  }

  #isDue(text: string): boolean {
    const now = this.#now();
    // In the order of their times: the oldest come first.
    for (const [known, readAt] of this.#readAt) {
      if (now - readAt < EVERY_MS && this.#readAt.size < MAX_REMEMBERED) break;
      this.#readAt.delete(known);
    }
    if (this.#readAt.has(text)) return false;
    this.#readAt.set(text, now);
    return true;
  }

  async #explain(client: PoolClient, sql: string): Promise<string> {
    await client.query('begin read only');
    try {
      const { rows: settings } = await client.query<{ version: number }>(
        `select set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true),
           current_setting('server_version_num')::int as version`,
        [String(STATEMENT_TIMEOUT_MS), String(LOCK_TIMEOUT_MS)],
      );
      if ((settings[0]?.version ?? 0) < this.#leastVersion) throw new PlansUnsupported();
      // Without values, as the simple protocol sends it: only there may its parameters stay open.
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain (generic_plan) ${sql}`);
      return rows.map((row) => withoutValues(row['QUERY PLAN'])).join('\n');
    } finally {
      await client.query('rollback');
    }
  }
}

/** One statement that reads or writes rows. A second one behind it would be run, and not explained. */
function isExplainable(sql: string): boolean {
  return (
    sql.length <= MAX_LENGTH &&
    /^[\s(]*(?:select|insert|update|delete|merge|with)\b/i.test(sql) &&
    !withoutLiterals(sql).includes(';')
  );
}

/** Conditions show the numbers and constants of the text. What is estimated stays. */
function withoutValues(line: string): string {
  const estimate = line.indexOf('  (cost=');
  return estimate < 0
    ? withoutLiterals(line)
    : withoutLiterals(line.slice(0, estimate)) + line.slice(estimate);
}
