import type { HttpFacts } from '../../http/http-facts.ts';
import type { Limiter } from '../limiter.ts';
import type { Key } from './keys.ts';

/** A further key that requests count against, decided together with the first: all or nothing. */
export interface FurtherKey<Request> {
  readonly key: Key<Request>;
  /** Default: that of the request. */
  readonly endpoint?: string | undefined;
  /** Units. Default: those of the request. */
  readonly cost?: number | undefined;
}

/** Which headers tell callers of their limits. `Retry-After` is on every denial all the same. */
export type HeaderChoice = 'all' | 'legacy' | 'ietf' | 'none';

/**
 * What middleware limits, and how. `Request` is the framework's own: Express's Request, Hono's Context and so on.
 */
export interface LimitOptions<Request> {
  readonly limiter: Pick<Limiter, 'check' | 'refund'>;
  /** What is being limited, as CheckLimit takes it. A function that gives undefined leaves the request unlimited. */
  readonly endpoint: string | ((request: Request, facts: HttpFacts) => string | undefined);
  /** Whom requests count against. Where no key has anybody, **the request is not limited**: see `firstOf`. */
  readonly key: Key<Request>;
  /** At most 15 further keys. One that has nobody is left out. */
  readonly also?: readonly FurtherKey<Request>[] | undefined;
  /** How many units a request takes: a whole number; 0 means 1, as it does to CheckLimit. Default: 1. */
  readonly cost?: number | ((request: Request, facts: HttpFacts) => number) | undefined;
  /** Roles of the caller, which may skip counting. They are believed: give only what was verified. */
  readonly roles?: ((request: Request, facts: HttpFacts) => readonly string[]) | undefined;
  /** True leaves the request unlimited. Nothing is asked then. */
  readonly skip?: ((request: Request, facts: HttpFacts) => boolean | Promise<boolean>) | undefined;
  /** Default: `all`. */
  readonly headers?: HeaderChoice | undefined;
  /**
   * True for a status with which a request gets back what it took, for example `(status) => status >= 500`. Over gRPC
   * and Connect it is the code of the call, 0 for success. A caller that leaves before the answer gets nothing back.
   *
   * Leases of CONCURRENCY limits end with every request without this; with it, those of a request that gets nothing
   * back end when their window does.
   */
  readonly refundOn?: ((status: number) => boolean) | undefined;
  /**
   * Told where giving back failed, which leaves the units taken until their window has passed. Default: a warning of
   * the process.
   */
  readonly onRefundError?: ((error: unknown) => void) | undefined;
}
