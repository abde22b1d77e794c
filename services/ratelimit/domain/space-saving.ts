import type { TopEntry, TopSummary } from './top-summary.ts';

/** Counters of one count; they stand side by side. */
interface Group {
  count: number;
  /** Where the first of them stands. */
  first: number;
}

interface Counter {
  endpoint: string;
  identifier: string;
  /** What the counter had when this key took it over. */
  error: number;
  /** Where it stands. */
  at: number;
  group: Group;
}

/**
 * Counts the most frequent keys of a stream in bounded memory: Space-Saving (Metwally, Agrawal and El Abbadi, "Efficient
 * Computation of Frequent and Top-k Elements in Data Streams", 2005). A key without a counter takes over the lowest
 * one. After N keys with m counters: count - error <= true count <= count, no error is above N / m, and every key that
 * came more than N / m times has a counter.
 *
 * The counters stand in one array by count, highest first, and equal ones share a group that knows where it begins: to
 * add one is to change places with the first of the group. So every key costs the same, and most allocate nothing.
 */
export class SpaceSaving {
  readonly #maxCounters: number;
  /** By endpoint, then identifier: no text is put together to look a key up. */
  readonly #byKey = new Map<string, Map<string, Counter>>();
  readonly #order: Counter[] = [];

  constructor(maxCounters: number) {
    this.#maxCounters = maxCounters;
  }

  /** How many endpoints the counted keys are of. */
  get endpoints(): number {
    return this.#byKey.size;
  }

  /** Counts one occurrence of a key. */
  add(endpoint: string, identifier: string): void {
    this.#increment(this.#byKey.get(endpoint)?.get(identifier) ?? this.#admit(endpoint, identifier));
  }

  /** The counters as they are now. */
  summary(): TopSummary {
    const entries = this.#order.map(
      ({ endpoint, identifier, error, group }): TopEntry => ({
        endpoint,
        identifier,
        count: group.count,
        error,
      }),
    );
    return { entries, floor: this.#order[this.#maxCounters - 1]?.group.count ?? 0 };
  }

  #admit(endpoint: string, identifier: string): Counter {
    let counter: Counter;
    const at = this.#order.length;
    if (at < this.#maxCounters) {
      counter = { endpoint, identifier, error: 0, at, group: { count: 0, first: at } };
      this.#order.push(counter);
    } else {
      counter = this.#order[at - 1] as Counter;
      this.#forget(counter.endpoint, counter.identifier);
      counter.endpoint = endpoint;
      counter.identifier = identifier;
      counter.error = counter.group.count;
    }
    const ofEndpoint = this.#byKey.get(endpoint);
    if (ofEndpoint === undefined) this.#byKey.set(endpoint, new Map([[identifier, counter]]));
    else ofEndpoint.set(identifier, counter);
    return counter;
  }

  #forget(endpoint: string, identifier: string): void {
    const ofEndpoint = this.#byKey.get(endpoint);
    ofEndpoint?.delete(identifier);
    if (ofEndpoint?.size === 0) this.#byKey.delete(endpoint);
  }

  #increment(counter: Counter): void {
    const order = this.#order;
    const { group } = counter;
    const { first } = group;
    const head = order[first] as Counter;
    if (head !== counter) {
      order[counter.at] = head;
      head.at = counter.at;
      order[first] = counter;
      counter.at = first;
    }
    const above = first === 0 ? undefined : order[first - 1]?.group;
    if (above !== undefined && above.count === group.count + 1) {
      counter.group = above;
      group.first += 1;
    } else if (order[first + 1]?.group === group) {
      counter.group = { count: group.count + 1, first };
      group.first += 1;
    } else {
      group.count += 1;
    }
  }
}
