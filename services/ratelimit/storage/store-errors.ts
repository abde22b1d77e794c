/** The store could not be asked, or did not answer in time. Whether it counted is then unknown. */
export class StoreUnavailable extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'StoreUnavailable';
  }
}

/** The store is well, and cannot count this one key: say, somebody else keeps another type under it. */
export class KeyUnusable extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'KeyUnusable';
  }
}
