/** Ids looked at when a new one comes while there are as many as may be. */
const EVICTION_SAMPLE = 16;

/**
 * Ids that may be used once. Each is remembered until a time after which using it again would do nothing.
 *
 * Holds at most `most` of them. A new one beyond that counts as spent: what it would give back stays taken, which is
 * the safe side.
 */
export class SpentIds {
  readonly #most: number;
  /** In the order they were spent, with the time until which each is kept. */
  readonly #keptUntil = new Map<string, number>();
  #cursor = this.#keptUntil.entries();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#keptUntil.size;
  }

  /** Spends an id; false where it was spent already. Both times in epoch µs. */
  spend(id: string, nowMicros: number, keepUntilMicros: number): boolean {
    if (this.#keptUntil.has(id)) return false;
    if (this.#keptUntil.size >= this.#most) this.forget(nowMicros, EVICTION_SAMPLE);
    if (this.#keptUntil.size >= this.#most) return false;
    this.#keptUntil.set(id, keepUntilMicros);
    return true;
  }

  /** Looks at the next so many, round and round, and forgets those of them that are kept no longer. */
  forget(nowMicros: number, count: number): void {
    for (let left = Math.min(count, this.#keptUntil.size); left > 0; left -= 1) {
      let next = this.#cursor.next();
      if (next.done) {
        this.#cursor = this.#keptUntil.entries();
        next = this.#cursor.next();
        if (next.done) return;
      }
      const [id, until] = next.value;
      if (until <= nowMicros) this.#keptUntil.delete(id);
    }
  }

  clear(): void {
    this.#keptUntil.clear();
  }
}
