import type { Limit } from './limit.ts';
import type { Debt, LimitModel } from './limit-model.ts';
import type { LimitState } from './limit-store.ts';

/** Leases that are looked at to tell when there is room again: a key may hold very many. */
const LOOK_AHEAD = 1_000;

interface Lease {
  readonly id: string;
  readonly units: number;
  readonly endMicros: number;
}

/**
 * Units held at one time. Each take holds its units until it is given back, or until its lease ends a window after it
 * was taken or renewed, since holders can die.
 *
 * A lease is known by its id and its units: taking what is held already is the same operation again, which holds it
 * anew and no second time. When a lease ends was told to its holder, so clocks that are set back don't change that.
 */
export class Concurrency implements LimitModel {
  /** By end. Those that have ended are dropped by the next take: a clock that is set back brings them back till then. */
  readonly #byEnd: Lease[] = [];
  readonly #byName = new Map<string, Lease>();
  /** Of all leases, those that have ended among them. */
  #units = 0;

  get deadAtMicros(): number {
    return this.#byEnd.at(-1)?.endMicros ?? Number.NEGATIVE_INFINITY;
  }

  look(clockMicros: number, cost: number, limit: Limit, lease: string): LimitState {
    const ended = this.#countUpTo(clockMicros);
    const live = this.#units - this.#unitsOfFirst(ended);
    const own = this.#aliveAt(clockMicros, lease, cost);
    const excess = live - (own?.units ?? 0) + cost - limit.limit;
    return {
      allowed: excess <= 0,
      remaining: Math.max(0, limit.limit - live),
      resetMicros: Math.max(clockMicros, this.deadAtMicros),
      retryAfterMicros: excess <= 0 ? 0 : this.#momentOfRelease(ended, excess, own) - clockMicros,
    };
  }

  take(clockMicros: number, cost: number, limit: Limit, lease: string): LimitState {
    for (const { id, units } of this.#byEnd.slice(0, this.#countUpTo(clockMicros))) this.#drop(id, units);
    this.#hold(lease, cost, clockMicros + limit.windowMicros);
    return {
      allowed: true,
      remaining: limit.limit - this.#units,
      resetMicros: this.deadAtMicros,
      retryAfterMicros: 0,
    };
  }

  refund(clockMicros: number, cost: number, _resetMicros: number, _limit: Limit, lease: string): number {
    if (this.#aliveAt(clockMicros, lease, cost) === undefined) return 0;
    this.#drop(lease, cost);
    return cost;
  }

  renew(clockMicros: number, cost: number, limit: Limit, lease: string): number {
    if (this.#aliveAt(clockMicros, lease, cost) === undefined) return 0;
    const end = clockMicros + limit.windowMicros;
    this.#hold(lease, cost, end);
    return end;
  }

  debt(clockMicros: number): Debt {
    const live = this.#byEnd.slice(this.#countUpTo(clockMicros));
    return live.flatMap(({ id, units, endMicros }) => [id, units, endMicros - clockMicros]);
  }

  settle(clockMicros: number, debt: Debt): void {
    for (let at = 0; at < debt.length; at += 3) {
      const [id, units, left] = [String(debt[at]), Number(debt[at + 1]), Number(debt[at + 2])];
      const before = this.#byName.get(nameOf(id, units))?.endMicros ?? 0;
      if (left > 0) this.#hold(id, units, Math.max(before, clockMicros + left));
    }
  }

  #aliveAt(clockMicros: number, id: string, units: number): Lease | undefined {
    const lease = this.#byName.get(nameOf(id, units));
    return lease !== undefined && lease.endMicros > clockMicros ? lease : undefined;
  }

  #hold(id: string, units: number, endMicros: number): void {
    this.#drop(id, units);
    const lease = { id, units, endMicros };
    this.#byEnd.splice(this.#countUpTo(endMicros), 0, lease);
    this.#byName.set(nameOf(id, units), lease);
    this.#units += units;
  }

  #drop(id: string, units: number): void {
    const lease = this.#byName.get(nameOf(id, units));
    if (lease === undefined) return;
    let at = this.#countUpTo(lease.endMicros) - 1;
    while (this.#byEnd[at] !== lease) at -= 1;
    this.#byEnd.splice(at, 1);
    this.#byName.delete(nameOf(id, units));
    this.#units -= units;
  }

  /** How many leases end at `micros` or before: binary search. */
  #countUpTo(micros: number): number {
    let low = 0;
    let high = this.#byEnd.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#byEnd[middle] as Lease).endMicros <= micros) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #unitsOfFirst(count: number): number {
    let sum = 0;
    for (let at = 0; at < count; at += 1) sum += (this.#byEnd[at] as Lease).units;
    return sum;
  }

  /**
   * When so many units are free again, those of `own` apart; or the least that it can be, where the {@link LOOK_AHEAD}
   * leases that end first do not tell.
   */
  #momentOfRelease(ended: number, units: number, own: Lease | undefined): number {
    const last = Math.min(this.#byEnd.length, ended + LOOK_AHEAD) - 1;
    let free = 0;
    for (let at = ended; at < last; at += 1) {
      const lease = this.#byEnd[at] as Lease;
      if (lease !== own) free += lease.units;
      if (free >= units) return lease.endMicros;
    }
    return (this.#byEnd[last] as Lease).endMicros;
  }
}

function nameOf(id: string, units: number): string {
  return `${id}.${units}`;
}
