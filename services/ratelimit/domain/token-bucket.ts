import { MAX_UNITS, MAX_WINDOW_MICROS } from './algorithm.ts';
import type { Limit } from './limit.ts';
import type { Debt, LimitModel } from './limit-model.ts';
import type { LimitState } from './limit-store.ts';
import {
  addSpans,
  ceilSpan,
  isShorter,
  NO_SPAN,
  refillSpan,
  type Span,
  subtractSpans,
  unitsOwed,
} from './refill-span.ts';

/**
 * A bucket of `burst` units that refills `limit` units a window: GCRA as a virtual scheduling algorithm (ITU-T I.371,
 * annex A), without rounding.
 *
 * It keeps how long the bucket takes to be full again, and as of when (their sum is GCRA's theoretical arrival time).
 * A cost is allowed where that time, with the cost's own added, is at most the time that the whole burst takes. Time
 * never runs backwards: now = max(clock, last take).
 *
 * The state keeps the limit and window it was written with. Once either is edited the units owed are carried over, and
 * what is owed then takes as long as those units do at the new rate, rounded up to µs, at most 400 days.
 */
export class TokenBucket implements LimitModel {
  #atMicros = Number.NEGATIVE_INFINITY;
  /** Time to full as of #atMicros, in parts of #limit. */
  #owed: Span = NO_SPAN;
  #limit = 1;
  #windowMicros = 1;

  get deadAtMicros(): number {
    return this.#atMicros + ceilSpan(this.#owed);
  }

  look(clockMicros: number, cost: number, limit: Limit): LimitState {
    const now = this.#now(clockMicros);
    const owed = this.#owedAt(now, limit);
    const used = unitsOwed(owed, limit.burst, limit.limit, limit.windowMicros);
    const allowed = used + cost <= limit.burst;
    return {
      allowed,
      remaining: Math.max(0, limit.burst - used),
      resetMicros: used === 0 ? clockMicros : now + ceilSpan(owed),
      retryAfterMicros: allowed ? 0 : now + waitFor(owed, cost, limit) - clockMicros,
    };
  }

  take(clockMicros: number, cost: number, limit: Limit): LimitState {
    const now = this.#now(clockMicros);
    const before = this.#owedAt(now, limit);
    const used = unitsOwed(before, limit.burst, limit.limit, limit.windowMicros);
    this.#write(now, addSpans(before, spanOf(cost, limit), limit.limit), limit);
    return {
      allowed: true,
      remaining: limit.burst - used - cost,
      resetMicros: this.deadAtMicros,
      retryAfterMicros: 0,
    };
  }

  /**
   * Of the time that the cost takes to refill, that which had not passed by now if the cost was the last to refill.
   * Whatever was taken before or after it, the bucket is at least that much later than without it. Where the time to
   * refill a unit is no whole number of µs, `resetMicros` was rounded up, so the least that can have been is assumed.
   *
   * Tells the units to the nearest whole one. Gives back nothing once the limit or window was edited, since the time
   * of refilling before and after the edit is then not the same.
   */
  refund(clockMicros: number, cost: number, resetMicros: number, limit: Limit): number {
    if (limit.limit !== this.#limit || limit.windowMicros !== this.#windowMicros) return 0;
    const now = this.#now(clockMicros);
    const owed = this.#owedAt(now, limit);
    const left = resetMicros - now;
    const isWhole = limit.windowMicros % limit.limit === 0;
    if (left <= 0) return 0;
    const given = shortest(
      spanOf(cost, limit),
      owed,
      isWhole ? { whole: left, part: 0 } : { whole: left - 1, part: 1 },
    );
    this.#write(now, subtractSpans(owed, given, limit.limit), limit);
    return Math.floor(unitsIn(given, limit.limit, limit.windowMicros) + 0.5);
  }

  renew(): number {
    return 0;
  }

  debt(clockMicros: number, limit: Limit): Debt {
    const owed = this.#owedAt(this.#now(clockMicros), limit);
    return owed === NO_SPAN ? [] : [unitsIn(owed, limit.limit, limit.windowMicros)];
  }

  settle(clockMicros: number, debt: Debt, limit: Limit): void {
    const now = this.#now(clockMicros);
    let owed = this.#owedAt(now, limit);
    for (const units of debt) {
      const span = spanOf(Math.min(MAX_UNITS, Math.ceil(Number(units))), limit);
      owed = addSpans(owed, span, limit.limit);
    }
    if (owed.whole > 0 || owed.part > 0) this.#write(now, owed, limit);
  }

  #now(clockMicros: number): number {
    return Math.max(clockMicros, this.#atMicros);
  }

  #owedAt(now: number, limit: Limit): Span {
    const whole = this.#owed.whole - (now - this.#atMicros);
    const { part } = this.#owed;
    if (whole < 0 || (whole === 0 && part === 0)) return NO_SPAN;
    if (limit.limit === this.#limit && limit.windowMicros === this.#windowMicros) return { whole, part };
    const micros = whole + part / this.#limit;
    const carried = Math.ceil(
      micros * (this.#limit / this.#windowMicros) * (limit.windowMicros / limit.limit),
    );
    return { whole: Math.min(carried, MAX_WINDOW_MICROS), part: 0 };
  }

  #write(now: number, owed: Span, limit: Limit): void {
    this.#atMicros = now;
    // No check goes beyond this; settling can.
    this.#owed = shortest(owed, { whole: MAX_WINDOW_MICROS, part: 0 });
    this.#limit = limit.limit;
    this.#windowMicros = limit.windowMicros;
  }
}

function spanOf(units: number, { limit, windowMicros }: Limit): Span {
  return refillSpan(units, limit, windowMicros);
}

function unitsIn(span: Span, limit: number, windowMicros: number): number {
  return ((span.whole + span.part / limit) * limit) / windowMicros;
}

/** µs until no more is owed than leaves room for the cost. */
function waitFor(owed: Span, cost: number, limit: Limit): number {
  return ceilSpan(subtractSpans(owed, spanOf(limit.burst - cost, limit), limit.limit));
}

function shortest(...spans: [Span, ...Span[]]): Span {
  return spans.reduce((least, span) => (isShorter(span, least) ? span : least));
}
