import type { Percentiles } from './percentiles.ts';

/** What the load generator is to do. */
export interface LoadPlan {
  /** `host:port` of the gRPC server. */
  readonly address: string;
  /** Path of the method, for example `/optix.ratelimit.v1.RateLimitService/CheckLimit`. */
  readonly path: string;
  /** Encoded request messages in base64, sent in turn; of a stream, encoded CheckLimitRequests. */
  readonly bodies: readonly string[];
  /**
   * Unset: each request is a unary call. `each`: a stream on each connection carries them as items, one a message;
   * `gathered`: those that are due within one turn of the generator's event loop share a message.
   */
  readonly stream?: 'each' | 'gathered';
  readonly connections: number;
  /** Callers of the closed loop. */
  readonly callers: number;
  /** Requests a second of the open loop; unset means the closed loop. */
  readonly perSecond?: number;
  readonly seconds: number;
}

/** What came of it. */
export interface LoadResult {
  readonly answered: number;
  readonly failed: number;
  readonly seconds: number;
  /** Of the open loop, from the moment each request was due. */
  readonly latencyMs: Percentiles | null;
}
