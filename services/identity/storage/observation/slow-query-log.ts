import { AsyncLocalStorage } from 'node:async_hooks';
import { LogThrottle } from '../../../../runtime/log-throttle.ts';
import type { Logger } from '../../../../runtime/logger.ts';
import { type PlanReader, PlansUnsupported } from './plan-reader.ts';
import { statementText } from './sql-text.ts';

/** A statement that took its time. */
export interface SlowQuery {
  /** `primary`, `replica_1`, ... */
  readonly pool: string;
  /** As metrics count it. */
  readonly family: string;
  /** The whole text: not logged as it is. */
  readonly sql: string;
  readonly durationMs: number;
  /** Rows that it gave or changed; undefined where it failed. */
  readonly rows: number | undefined;
  /** Undefined: it ended well, or there was no answer. */
  readonly sqlState: string | undefined;
}

export interface SlowQueryLogOptions {
  readonly logger: Logger;
  readonly thresholdMs: number;
  readonly plans: boolean;
}

/** Ten lines a second at most: what makes one statement slow makes many so. */
const EVERY_MS = 100;
/** SQLSTATE lock_not_available: what ends a wait of `lock_timeout`. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Logs statements that were slow, without values. What is slow, and whether plans are told, may change at any time. */
export class SlowQueryLog {
  /** From which time on a statement is slow, in milliseconds. 0: none is. */
  thresholdMs: number;
  /** Whether the plans of slow statements are logged too. */
  plans: boolean;
  readonly #logger: Logger;
  readonly #throttle = new LogThrottle(EVERY_MS);
  /** Runs something as part of no call: the statements that read a plan belong to no trace. */
  readonly #apart = AsyncLocalStorage.snapshot();
  #hasToldUnsupported = false;

  constructor({ logger, thresholdMs, plans }: SlowQueryLogOptions) {
    this.#logger = logger;
    this.thresholdMs = thresholdMs;
    this.plans = plans;
  }

  isSlow(durationMs: number): boolean {
    return this.thresholdMs > 0 && durationMs >= this.thresholdMs;
  }

  /** @param plans of the pool that the statement ran in */
  report(slow: SlowQuery, plans: PlanReader): void {
    const keptBack = this.#throttle.pass();
    if (keptBack === undefined) return;
    this.#logger.warn(
      {
        ...named(slow),
        duration_ms: Math.round(slow.durationMs),
        rows: slow.rows,
        sqlstate: slow.sqlState,
        waited_for: slow.sqlState === LOCK_NOT_AVAILABLE ? 'lock' : undefined,
        kept_back: keptBack,
      },
      'a statement was slow',
    );
    if (this.plans) void this.#reportPlan(slow, plans);
  }

  /** Never rejects. */
  async #reportPlan(slow: SlowQuery, plans: PlanReader): Promise<void> {
    try {
      const plan = await this.#apart(() => plans.read(slow.sql));
      if (plan !== undefined) this.#logger.warn({ ...named(slow), plan }, 'the plan of a slow statement');
    } catch (error) {
      if (!(error instanceof PlansUnsupported)) {
        // Not the error itself: its message may repeat a part of the statement.
        this.#logger.debug(named(slow), 'the plan of a slow statement could not be read');
      } else if (!this.#hasToldUnsupported) {
        this.#hasToldUnsupported = true;
        this.#logger.warn({ pool: slow.pool }, error.message);
      }
    }
  }
}

function named({ pool, family, sql }: SlowQuery) {
  return { pool, family, statement: statementText(sql) };
}
