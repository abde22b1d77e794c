import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LimitDefinition } from './limit.ts';
import { ask, limitOf } from './testing-limit.ts';
import { TokenBucket } from './token-bucket.ts';

const T = 1_700_000_000_000_000;
const MINUTE = 60_000_000;
const DAY = 86_400_000_000;
const bucket = (limit: number, windowMicros: number, burst = limit): LimitDefinition => ({
  algorithm: 'TOKEN_BUCKET',
  limit,
  windowMicros,
  burst,
});

describe('TokenBucket', () => {
  it('admits a burst at once, then one unit each window / limit', () => {
    const model = new TokenBucket();
    expect(ask(model, T, 3, bucket(6, MINUTE, 3))).toEqual({
      allowed: true,
      remaining: 0,
      resetMicros: T + 30_000_000,
      retryAfterMicros: 0,
    });
    expect(ask(model, T + 1, 1, bucket(6, MINUTE, 3))).toMatchObject({
      allowed: false,
      retryAfterMicros: 9_999_999,
    });
    expect(ask(model, T + 10_000_000, 1, bucket(6, MINUTE, 3))).toMatchObject({
      allowed: true,
      remaining: 0,
    });
  });

  it('stops time where the clock is set back', () => {
    const model = new TokenBucket();
    ask(model, T, 1, bucket(6, MINUTE));
    expect(ask(model, T - DAY, 5, bucket(6, MINUTE)).allowed).toBe(true);
    expect(ask(model, T - DAY, 1, bucket(6, MINUTE)).retryAfterMicros).toBe(DAY + 10_000_000);
  });

  it.each([
    [bucket(7, MINUTE)],
    [bucket(3, 1_000, 9)],
    [bucket(1_000_000_000, 1_000)],
    [bucket(999_999_937, 400 * DAY)],
    [bucket(1, 400 * DAY)],
    [bucket(1_000_000_000, 1_000, 17)],
  ])('decides as exact arithmetic does: %o', (definition) => {
    const limit = limitOf(definition);
    // All in parts of 1 / limit µs: a unit is as many parts as the window has µs.
    const perMicro = BigInt(limit.limit);
    const perUnit = BigInt(limit.windowMicros);
    const size = BigInt(limit.burst) * perUnit;
    const each = limit.windowMicros / limit.limit;
    const step = fc.record({
      // Around the time that some units take, to the µs.
      wait: fc.oneof(
        fc.nat({ max: 3 }),
        fc.double({ min: 0, max: 1, noNaN: true }).map((x) => x * each * limit.burst),
      ),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const model = new TokenBucket();
        let [now, arrival] = [T, 0n];
        const decide = (at: number, cost: number): boolean => {
          const moment = BigInt(at) * perMicro;
          const next = (arrival > moment ? arrival : moment) + BigInt(cost) * perUnit;
          const allowed = next - moment <= size;
          const state = ask(model, at, cost, definition);
          expect(state.allowed).toBe(allowed);
          if (allowed) arrival = next;
          const owed = arrival > moment ? arrival - moment : 0n;
          expect(state.remaining).toBe(Number((size - owed) / perUnit));
          expect(state.resetMicros).toBe(at + Number((owed + perMicro - 1n) / perMicro));
          if (allowed) return true;
          const wait = (next - moment - size + perMicro - 1n) / perMicro;
          expect(state.retryAfterMicros).toBe(Number(wait));
          return false;
        };
        for (const { wait, share } of steps) {
          now += Math.floor(wait);
          decide(now, 1 + Math.floor(share * (limit.burst - 1)));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the units owed over an edit of limit or window', () => {
    const model = new TokenBucket();
    ask(model, T, 6, bucket(10, MINUTE));
    expect(ask(model, T, 95, bucket(100, MINUTE))).toMatchObject({ allowed: false, remaining: 94 });
    expect(ask(model, T, 1, bucket(10, 60 * MINUTE))).toMatchObject({ allowed: true, remaining: 3 });
    expect(model.debt(T, limitOf(bucket(10, 60 * MINUTE)))).toEqual([7]);
    expect(ask(model, T, 1, bucket(5, 60 * MINUTE))).toMatchObject({ allowed: false, remaining: 0 });
  });

  it('gives back the cost as far as it had not refilled', () => {
    const model = new TokenBucket();
    const limit = limitOf(bucket(6, MINUTE));
    const { resetMicros } = ask(model, T, 3, bucket(6, MINUTE));
    expect(model.refund(T + 10_000_000, 3, resetMicros, limit)).toBe(2);
    expect(model.look(T + 10_000_000, 1, limit).remaining).toBe(6);
    expect(model.refund(T + 30_000_000, 3, resetMicros, limit)).toBe(0);
  });

  it('gives nothing back of a take before an edit', () => {
    const model = new TokenBucket();
    const { resetMicros } = ask(model, T, 3, bucket(6, MINUTE));
    ask(model, T, 1, bucket(12, MINUTE));
    expect(model.refund(T, 3, resetMicros, limitOf(bucket(6, MINUTE)))).toBe(0);
  });

  it('owes what was settled, at most 400 days of it', () => {
    const model = new TokenBucket();
    const limit = limitOf(bucket(1, 100 * DAY));
    model.settle(T, [0.5], limit);
    expect(model.debt(T, limit)).toEqual([1]);
    model.settle(T, [1e9, 1e9], limit);
    expect(model.debt(T, limit)).toEqual([4]);
  });
});
