/** There is no such security event. */
export class SecurityEventNotFound extends Error {
  constructor() {
    super('there is no such security event');
    this.name = 'SecurityEventNotFound';
  }
}

/** Somebody has resolved the event: a second resolution is refused. */
export class SecurityEventResolved extends Error {
  constructor() {
    super('the security event is resolved already');
    this.name = 'SecurityEventResolved';
  }
}

/** Events that come after the cursor are gone: by retention, or as the database was restored. */
export class CursorExpired extends Error {
  constructor() {
    super('events after the cursor are not there any more');
    this.name = 'CursorExpired';
  }
}

/** A verification of the chain takes time in proportion to the log: one at a time. */
export class TooManyVerifications extends Error {
  constructor() {
    super('a verification of the chain runs in this process already');
    this.name = 'TooManyVerifications';
  }
}
