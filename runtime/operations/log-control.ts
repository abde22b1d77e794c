import type { Logger } from '../logger.ts';
import { NoDatabase } from './errors.ts';
import type { LogLevelName } from './log-level.ts';
import type { SlowQuerySettings } from './slow-query-settings.ts';

/** What a process logs. */
export interface LogSettings {
  readonly level: LogLevelName;
  /** In milliseconds; 0: no statement is slow. Undefined where there is no database. */
  readonly slowQueryThresholdMs: number | undefined;
  /** Undefined where there is no database. */
  readonly slowQueryPlans: boolean | undefined;
  /** When the settings of the start apply again; undefined: not while the process runs. */
  readonly expiresAt: Date | undefined;
}

/** What is to change. */
export type LogChange = Partial<Pick<LogSettings, 'level' | 'slowQueryThresholdMs' | 'slowQueryPlans'>>;

export interface LogControlOptions {
  readonly logger: Logger;
  /** Undefined where there is no database. */
  readonly slowQueries: SlowQuerySettings | undefined;
}

/** What the process logs, changed while it runs. Every change is logged itself, whatever the level. */
export class LogControl implements Disposable {
  readonly #logger: Logger;
  readonly #slowQueries: SlowQuerySettings | undefined;
  readonly #atStart: LogChange;
  #timer: NodeJS.Timeout | undefined;
  #expiresAt: Date | undefined;

  constructor({ logger, slowQueries }: LogControlOptions) {
    this.#logger = logger;
    this.#slowQueries = slowQueries;
    const { level, slowQueryThresholdMs, slowQueryPlans } = this.settings;
    this.#atStart = { level, slowQueryThresholdMs, slowQueryPlans };
  }

  get settings(): LogSettings {
    return {
      level: this.#logger.level as LogLevelName,
      slowQueryThresholdMs: this.#slowQueries?.thresholdMs,
      slowQueryPlans: this.#slowQueries?.plans,
      expiresAt: this.#expiresAt,
    };
  }

  /**
   * Changes what is said, and leaves the rest. How long it lasts counts for earlier changes too.
   *
   * @param ttlMs after which the settings of the start apply again, in milliseconds, at most 2^31 - 1; undefined: not while
   *   the process runs
   * @param by the caller's name
   * @throws NoDatabase; nothing is changed then
   */
  update(change: LogChange, ttlMs: number | undefined, by: string): LogSettings {
    const isAboutQueries = change.slowQueryThresholdMs !== undefined || change.slowQueryPlans !== undefined;
    if (isAboutQueries && this.#slowQueries === undefined) throw new NoDatabase();
    const before = this.settings;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#expiresAt = undefined;
    if (ttlMs !== undefined) {
      this.#expiresAt = new Date(Date.now() + ttlMs);
      this.#timer = setTimeout(() => this.#restore(), ttlMs).unref();
    }
    this.#apply(change);
    this.#tell(before, { caller: by }, 'what is logged was changed');
    return this.settings;
  }

  #restore(): void {
    const before = this.settings;
    this.#expiresAt = undefined;
    this.#apply(this.#atStart);
    this.#tell(before, {}, 'what is logged is again what the process was started with');
  }

  #apply({ level, slowQueryThresholdMs, slowQueryPlans }: LogChange): void {
    if (level !== undefined) this.#logger.level = level;
    if (this.#slowQueries === undefined) return;
    if (slowQueryThresholdMs !== undefined) this.#slowQueries.thresholdMs = slowQueryThresholdMs;
    if (slowQueryPlans !== undefined) this.#slowQueries.plans = slowQueryPlans;
  }

  /** Whatever the level: nobody can hide by it what follows. */
  #tell(before: LogSettings, who: object, message: string): void {
    const { settings } = this;
    if (!this.#logger.isLevelEnabled('warn')) this.#logger.level = 'warn';
    this.#logger.warn({ ...who, before: facts(before), after: facts(settings) }, message);
    this.#logger.level = settings.level;
  }

  /** The settings stay as they are. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** As the log has them. */
function facts({ level, slowQueryThresholdMs, slowQueryPlans, expiresAt }: LogSettings) {
  return {
    level,
    slow_query_threshold_ms: slowQueryThresholdMs,
    slow_query_plans: slowQueryPlans,
    expires_at: expiresAt?.toISOString(),
  };
}
