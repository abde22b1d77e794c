import type { Limit } from '../../services/ratelimit/domain/limit.ts';
import type { Debt } from '../../services/ratelimit/domain/limit-model.ts';
import type { GivenBack, Oracle, Room } from './oracle.ts';

/** No window of the length W that ends now may hold more than the limit; a denial needs one that would. */
export class LogOracle implements Oracle {
  #entries: { readonly time: number; units: number }[] = [];

  room(clock: number, cost: number, { limit, windowMicros }: Limit): Room {
    const now = this.#now(clock);
    let inWindow = 0;
    for (const { time, units } of this.#entries) {
      if (time > now - windowMicros) inWindow += units;
    }
    return inWindow + cost <= limit ? 'YES' : 'NO';
  }

  take(clock: number, cost: number, limit: Limit): void {
    this.#add(clock, [{ time: this.#now(clock), units: cost }], limit);
  }

  refund(_clock: number, given: number, { limit, resetMicros }: GivenBack): void {
    let left = given;
    for (const entry of this.#entries) {
      if (entry.time !== resetMicros - limit.windowMicros) continue;
      const units = Math.min(entry.units, left);
      entry.units -= units;
      left -= units;
    }
    this.#entries = this.#entries.filter(({ units }) => units > 0);
  }

  settle(clock: number, debt: Debt, limit: Limit): void {
    const now = this.#now(clock);
    const settled: { time: number; units: number }[] = [];
    for (let at = 0; at < debt.length; at += 2) {
      const [age, units] = [Number(debt[at]), Number(debt[at + 1])];
      if (age < limit.windowMicros) settled.push({ time: now - age, units });
    }
    if (settled.length > 0) this.#add(clock, settled, limit);
  }

  /** What has run out when something is written is forgotten: a longer window later doesn't bring it back. */
  #add(clock: number, entries: readonly { time: number; units: number }[], { windowMicros }: Limit): void {
    const now = this.#now(clock);
    this.#entries = this.#entries.filter(({ time }) => time > now - windowMicros);
    this.#entries.push(...entries);
  }

  #now(clock: number): number {
    let now = clock;
    for (const { time } of this.#entries) now = Math.max(now, time);
    return now;
  }
}
