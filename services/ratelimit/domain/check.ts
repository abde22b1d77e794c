/** One operation that somebody wants to perform. */
export interface Check {
  /** What is limited, for example `auth_login`. */
  readonly endpoint: string;
  /** Who is limited, for example `user:4711`. */
  readonly identifier: string;
  /** Units it takes: an unsigned 32-bit integer; 0 means 1. */
  readonly cost: number;
  /** Verified roles of the caller. */
  readonly roles: readonly string[];
  /** Further keys it counts against; all together or none. */
  readonly also: readonly CheckTarget[];
  /** Whether the decision should have a receipt, to give the units back with. */
  readonly refundable: boolean;
}

/** A further key that an operation counts against. */
export interface CheckTarget {
  /** Empty: the check's own. */
  readonly endpoint: string;
  readonly identifier: string;
  /** 0 means the check's own. */
  readonly cost: number;
}
