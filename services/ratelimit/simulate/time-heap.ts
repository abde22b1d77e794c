/** Something with a time, in µs. */
export interface Timed {
  readonly timeMicros: number;
}

interface Held<T> {
  readonly item: T;
  readonly order: number;
}

/** A binary heap: the earliest first, and of equal times the one that was added first. */
export class TimeHeap<T extends Timed> {
  readonly #heap: Held<T>[] = [];
  #added = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest; undefined where there is none. */
  get first(): T | undefined {
    return this.#heap[0]?.item;
  }

  push(item: T): void {
    const heap = this.#heap;
    const held = { item, order: this.#added++ };
    let at = heap.push(held) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(held, heap[parent] as Held<T>)) break;
      heap[at] = heap[parent] as Held<T>;
      at = parent;
    }
    heap[at] = held;
  }

  /** Takes the earliest out. */
  pop(): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.#sink(last);
    return first?.item;
  }

  #sink(held: Held<T>): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Held<T>)) child += 1;
      if (!isBefore(heap[child] as Held<T>, held)) break;
      heap[at] = heap[child] as Held<T>;
      at = child;
    }
    heap[at] = held;
  }
}

function isBefore<T extends Timed>(one: Held<T>, other: Held<T>): boolean {
  const difference = one.item.timeMicros - other.item.timeMicros;
  return difference < 0 || (difference === 0 && one.order < other.order);
}
