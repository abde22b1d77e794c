/** What one caller asked of one limit, in order by time. */
export interface CallerDemand {
  readonly times: number[];
  /** One a request; absent where each takes one unit. */
  costs: number[] | undefined;
  /** How long each holds what it leases, in µs; absent unless the limit leases. */
  readonly holds: number[] | undefined;
  units: number;
}

/** How much may be kept of all demand: 10,000,000 requests take some 200 MB. */
export class DemandBudget {
  #left: number;

  constructor(requests = 10_000_000) {
    this.#left = requests;
  }

  /** @returns false where nothing is left */
  spend(): boolean {
    this.#left -= 1;
    return this.#left >= 0;
  }
}

/** All requests that one limit was asked about, by caller: what another limit would have been asked, too. */
export class Demand {
  /** False once the budget was used up: then it is good for nothing. */
  complete = true;
  requests = 0;
  readonly callers = new Map<string, CallerDemand>();
  readonly #budget: DemandBudget;
  readonly #leases: boolean;

  constructor(budget: DemandBudget, leases: boolean) {
    this.#budget = budget;
    this.#leases = leases;
  }

  /** @param holdMicros of a lease */
  add(identifier: string, timeMicros: number, cost: number, holdMicros: number): void {
    if (!this.complete) return;
    if (!this.#budget.spend()) {
      this.complete = false;
      this.callers.clear();
      return;
    }
    this.requests += 1;
    const caller = this.#caller(identifier);
    if (cost !== 1) caller.costs ??= caller.times.map(() => 1);
    caller.times.push(timeMicros);
    caller.costs?.push(cost);
    caller.holds?.push(holdMicros);
    caller.units += cost;
  }

  #caller(identifier: string): CallerDemand {
    let caller = this.callers.get(identifier);
    if (caller === undefined) {
      caller = { times: [], costs: undefined, holds: this.#leases ? [] : undefined, units: 0 };
      this.callers.set(identifier, caller);
    }
    return caller;
  }
}
