import { MAX_UNITS, MAX_WINDOW_MICROS } from '../../services/ratelimit/domain/algorithm.ts';
import type { Limit } from '../../services/ratelimit/domain/limit.ts';
import type { Debt } from '../../services/ratelimit/domain/limit-model.ts';
import type { GivenBack, Oracle, Room } from './oracle.ts';

/** What is owed, at least and at most. They differ by a few µs after an edit, until the bucket was full once. */
interface Owed {
  readonly least: bigint;
  readonly most: bigint;
}

/** An edit carries what is owed over in doubles, and rounds up: by less than this, in µs. */
const CARRIED_WITHIN = 2n;

/**
 * GCRA in whole numbers of any size: time in 1 / limit µs, in which a unit takes just `windowMicros` to refill.
 */
export class BucketOracle implements Oracle {
  #at = Number.NEGATIVE_INFINITY;
  #owed: Owed = { least: 0n, most: 0n };
  /** As of the last write. */
  #limit = 0;
  #windowMicros = 0;

  room(clock: number, cost: number, limit: Limit): Room {
    const { least, most } = this.#owedAt(clock, limit);
    const room = BigInt(limit.burst - cost) * BigInt(limit.windowMicros);
    if (least > room) return 'NO';
    return most <= room ? 'YES' : 'EITHER';
  }

  take(clock: number, cost: number, limit: Limit): void {
    const span = BigInt(cost) * BigInt(limit.windowMicros);
    this.#write(clock, limit, (owed) => owed + span);
  }

  /** Not what was answered, which is rounded to units: what of the cost's time had not passed by now. */
  refund(clock: number, _given: number, { cost, resetMicros, limit }: GivenBack): void {
    if (limit.limit !== this.#limit || limit.windowMicros !== this.#windowMicros) return;
    const left = resetMicros - Math.max(clock, this.#at);
    if (left <= 0) return;
    const [rate, window] = [BigInt(limit.limit), BigInt(limit.windowMicros)];
    // The reset was answered in whole µs, rounded up.
    const leastLeft = window % rate === 0n ? BigInt(left) * rate : BigInt(left - 1) * rate + 1n;
    const given = min(BigInt(cost) * window, leastLeft);
    this.#write(clock, limit, (owed) => max(0n, owed - given));
  }

  settle(clock: number, debt: Debt, limit: Limit): void {
    const most = BigInt(MAX_WINDOW_MICROS) * BigInt(limit.limit);
    for (const units of debt) {
      const span = BigInt(Math.min(MAX_UNITS, Math.ceil(Number(units)))) * BigInt(limit.windowMicros);
      this.#write(clock, limit, (owed) => min(owed + span, most));
    }
  }

  #owedAt(clock: number, limit: Limit): Owed {
    if (this.#limit === 0) return { least: 0n, most: 0n };
    const passed = BigInt(Math.max(0, clock - this.#at)) * BigInt(this.#limit);
    const least = max(0n, this.#owed.least - passed);
    const most = max(0n, this.#owed.most - passed);
    if (limit.limit === this.#limit && limit.windowMicros === this.#windowMicros) return { least, most };
    // The same units owed, which now take another time each.
    const carry = (owed: bigint) => (owed * BigInt(limit.windowMicros)) / BigInt(this.#windowMicros);
    const within = CARRIED_WITHIN * BigInt(limit.limit);
    const cap = BigInt(MAX_WINDOW_MICROS) * BigInt(limit.limit);
    return {
      least: min(cap, max(0n, carry(least) - within)),
      most: most === 0n ? 0n : min(cap, carry(most) + within),
    };
  }

  #write(clock: number, limit: Limit, change: (owed: bigint) => bigint): void {
    const { least, most } = this.#owedAt(clock, limit);
    this.#owed = { least: change(least), most: change(most) };
    this.#at = Math.max(clock, this.#at);
    this.#limit = limit.limit;
    this.#windowMicros = limit.windowMicros;
  }
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
