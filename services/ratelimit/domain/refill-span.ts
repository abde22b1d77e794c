/**
 * A length of time of `whole + part / limit` µs, exactly: a bucket that refills `limit` units a window gains one each
 * window / limit µs, which is seldom a whole number. 0 <= part < limit. Spans can be compared and added where they
 * have the same limit.
 */
export interface Span {
  readonly whole: number;
  readonly part: number;
}

export const NO_SPAN: Span = { whole: 0, part: 0 };

/** Where {@link refillSpan} ends, in µs: longer than any debt, and far from the 2^53 up to which doubles are exact. */
const LONGEST_MICROS = 1e15;
/** Factors of 10^9 are multiplied in halves of 15 bits: each product stays below 2^53. */
const HALF = 32_768;

/** How long `units` (0 to 10^9) take to refill; at most {@link LONGEST_MICROS}. */
export function refillSpan(units: number, limit: number, windowMicros: number): Span {
  const each = Math.floor(windowMicros / limit);
  const rest = windowMicros - each * limit;
  if (units * each >= LONGEST_MICROS) return { whole: LONGEST_MICROS, part: 0 };
  const high = Math.floor(units / HALF);
  const highProduct = high * rest;
  const highWhole = Math.floor(highProduct / limit);
  const sum = (highProduct - highWhole * limit) * HALF + (units - high * HALF) * rest;
  const sumWhole = Math.floor(sum / limit);
  return { whole: units * each + highWhole * HALF + sumWhole, part: sum - sumWhole * limit };
}

/**
 * How many units refill in a span that ends with a whole unit: the fewest whose {@link refillSpan} is no shorter.
 * Above `most` (up to 10^9) it only tells that it is more.
 */
export function unitsOwed(span: Span, most: number, limit: number, windowMicros: number): number {
  if (span.whole === 0 && span.part === 0) return 0;
  // Doubles are wrong by far less than one unit here, so that one step to either side makes it exact.
  const estimate = Math.ceil(((span.whole + span.part / limit) * limit) / windowMicros);
  if (estimate > most + 1) return most + 1;
  if (isShorter(refillSpan(estimate, limit, windowMicros), span)) return estimate + 1;
  if (isShorter(refillSpan(estimate - 1, limit, windowMicros), span)) return estimate;
  return estimate - 1;
}

export function isShorter(a: Span, b: Span): boolean {
  return a.whole < b.whole || (a.whole === b.whole && a.part < b.part);
}

export function addSpans(a: Span, b: Span, limit: number): Span {
  const part = a.part + b.part;
  return part < limit
    ? { whole: a.whole + b.whole, part }
    : { whole: a.whole + b.whole + 1, part: part - limit };
}

/** `a - b`, where b is no longer than a. */
export function subtractSpans(a: Span, b: Span, limit: number): Span {
  const part = a.part - b.part;
  return part >= 0
    ? { whole: a.whole - b.whole, part }
    : { whole: a.whole - b.whole - 1, part: part + limit };
}

/** In µs, rounded up. */
export function ceilSpan(span: Span): number {
  return span.part > 0 ? span.whole + 1 : span.whole;
}
