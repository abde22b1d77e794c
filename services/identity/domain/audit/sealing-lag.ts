/** How far the seals are behind the events. */
export interface SealingLag {
  /** Events that wait for their seal; at most 10,000 are counted. */
  readonly unsealed: number;
  /** How long the oldest of them has waited, in milliseconds; 0 where none waits. */
  readonly oldestMs: number;
}

export interface Sealing {
  /** @throws DatabaseUnavailable */
  lag(): Promise<SealingLag>;
}
