import type { Limit } from './limit.ts';
import type { Debt, LimitModel } from './limit-model.ts';
import type { LimitState } from './limit-store.ts';

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
  /** By id and units; may hold leases that have ended. */
  readonly #leases = new Map<string, Lease>();

  get deadAtMicros(): number {
    return lastEnd([...this.#leases.values()], Number.NEGATIVE_INFINITY);
  }

  look(clockMicros: number, cost: number, limit: Limit, lease: string): LimitState {
    const live = this.#liveAt(clockMicros);
    const others = live.filter(({ id, units }) => id !== lease || units !== cost);
    const excess = unitsOf(others) + cost - limit.limit;
    return {
      allowed: excess <= 0,
      remaining: Math.max(0, limit.limit - unitsOf(live)),
      resetMicros: lastEnd(live, clockMicros),
      retryAfterMicros: excess <= 0 ? 0 : momentOfRelease(others, excess) - clockMicros,
    };
  }

  take(clockMicros: number, cost: number, limit: Limit, lease: string): LimitState {
    for (const [name, { endMicros }] of this.#leases) {
      if (endMicros <= clockMicros) this.#leases.delete(name);
    }
    this.#hold(lease, cost, clockMicros + limit.windowMicros);
    const live = [...this.#leases.values()];
    return {
      allowed: true,
      remaining: limit.limit - unitsOf(live),
      resetMicros: lastEnd(live, clockMicros),
      retryAfterMicros: 0,
    };
  }

  refund(clockMicros: number, cost: number, _resetMicros: number, _limit: Limit, lease: string): number {
    if (this.#endOf(lease, cost) <= clockMicros) return 0;
    this.#leases.delete(nameOf(lease, cost));
    return cost;
  }

  renew(clockMicros: number, cost: number, limit: Limit, lease: string): number {
    if (this.#endOf(lease, cost) <= clockMicros) return 0;
    const end = clockMicros + limit.windowMicros;
    this.#hold(lease, cost, end);
    return end;
  }

  debt(clockMicros: number): Debt {
    return this.#liveAt(clockMicros).flatMap(({ id, units, endMicros }) => [
      id,
      units,
      endMicros - clockMicros,
    ]);
  }

  settle(clockMicros: number, debt: Debt): void {
    for (let at = 0; at < debt.length; at += 3) {
      const [id, units, left] = [String(debt[at]), Number(debt[at + 1]), Number(debt[at + 2])];
      if (left > 0) this.#hold(id, units, Math.max(this.#endOf(id, units), clockMicros + left));
    }
  }

  #liveAt(clockMicros: number): Lease[] {
    return [...this.#leases.values()].filter(({ endMicros }) => endMicros > clockMicros);
  }

  #endOf(id: string, units: number): number {
    return this.#leases.get(nameOf(id, units))?.endMicros ?? Number.NEGATIVE_INFINITY;
  }

  #hold(id: string, units: number, endMicros: number): void {
    this.#leases.set(nameOf(id, units), { id, units, endMicros });
  }
}

function nameOf(id: string, units: number): string {
  return `${id}.${units}`;
}

function unitsOf(leases: readonly Lease[]): number {
  return leases.reduce((sum, { units }) => sum + units, 0);
}

function lastEnd(leases: readonly Lease[], notBefore: number): number {
  return leases.reduce((last, { endMicros }) => Math.max(last, endMicros), notBefore);
}

/** When so many units are free again. */
function momentOfRelease(leases: readonly Lease[], units: number): number {
  let free = 0;
  for (const lease of leases.toSorted((a, b) => a.endMicros - b.endMicros)) {
    free += lease.units;
    if (free >= units) return lease.endMicros;
  }
  throw new RangeError('the cost is above the limit');
}
