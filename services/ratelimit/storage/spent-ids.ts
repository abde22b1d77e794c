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

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#keptUntil.size;
  }

  /** Spends an id; false where it was spent already. Both times in epoch µs. */
  spend(id: string, nowMicros: number, keepUntilMicros: number): boolean {
    if (this.#keptUntil.has(id)) return false;
    if (this.#keptUntil.size >= this.#most) this.forget(nowMicros, this.#most);
    if (this.#keptUntil.size >= this.#most) return false;
    this.#keptUntil.set(id, keepUntilMicros);
    return true;
  }

  /** Forgets those, of the `most` spent longest ago, that are kept no longer. */
  forget(nowMicros: number, most: number): void {
    let looked = 0;
    for (const [id, until] of this.#keptUntil) {
      if (looked++ === most) return;
      if (until <= nowMicros) this.#keptUntil.delete(id);
    }
  }

  clear(): void {
    this.#keptUntil.clear();
  }
}
