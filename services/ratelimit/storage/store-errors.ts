import type { Settlement } from './redis-store.ts';

/** The store could not be asked, or did not answer in time. Whether it counted is then unknown. */
export class StoreUnavailable extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'StoreUnavailable';
  }
}

/** Debts that the store did not take, or may have taken without its being known. */
export class NotSettled extends StoreUnavailable {
  readonly entries: readonly Settlement[];

  constructor(reason: string, entries: readonly Settlement[]) {
    super(reason);
    this.name = 'NotSettled';
    this.entries = entries;
  }
}

/** The store is well, and cannot count this one key: say, somebody else keeps another type under it. */
export class KeyUnusable extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'KeyUnusable';
  }
}
