import type { Limit } from '../../services/ratelimit/domain/limit.ts';
import type { Debt } from '../../services/ratelimit/domain/limit-model.ts';
import type { GivenBack, Oracle, Room } from './oracle.ts';

interface Held {
  readonly lease: string;
  readonly units: number;
  endMicros: number;
}

/** What is held at one time never exceeds the limit; a denial needs that it would. */
export class LeaseOracle implements Oracle {
  #held: Held[] = [];

  room(clock: number, cost: number, { limit }: Limit, lease: string): Room {
    let others = 0;
    for (const held of this.#held) {
      if (held.endMicros > clock && !(held.lease === lease && held.units === cost)) others += held.units;
    }
    return others + cost <= limit ? 'YES' : 'NO';
  }

  take(clock: number, cost: number, { windowMicros }: Limit, lease: string): void {
    this.#held = this.#held.filter(({ endMicros }) => endMicros > clock);
    this.renew(cost, lease, clock + windowMicros);
  }

  refund(_clock: number, given: number, { cost }: GivenBack, lease: string): void {
    if (given > 0) this.#held = this.#held.filter((held) => held.lease !== lease || held.units !== cost);
  }

  renew(cost: number, lease: string, endMicros: number): void {
    if (endMicros === 0) return;
    const held = this.#find(lease, cost);
    if (held === undefined) this.#held.push({ lease, units: cost, endMicros });
    else held.endMicros = endMicros;
  }

  settle(clock: number, debt: Debt): void {
    for (let at = 0; at < debt.length; at += 3) {
      const [lease, units, left] = [String(debt[at]), Number(debt[at + 1]), Number(debt[at + 2])];
      const end = Math.max(clock + left, this.#find(lease, units)?.endMicros ?? 0);
      if (left > 0) this.renew(units, lease, end);
    }
  }

  #find(lease: string, units: number): Held | undefined {
    return this.#held.find((held) => held.lease === lease && held.units === units);
  }
}
