import type { ConnectError } from '@connectrpc/connect';
import type { GrpcTransportOptions } from '../grpc/grpc-transport.ts';
import type { LimiterState } from './limiter.ts';
import type { UnreachablePolicy } from './unreachable-policy.ts';

/** The longest that a timer of Node can wait, in milliseconds. */
export const MAX_TIMER_MS = 2_147_483_647;

/** Where the limiter is, how long it may take, and what happens where it can't be asked. */
export interface LimiterOptions extends Omit<GrpcTransportOptions, 'defaultTimeoutMs' | 'keepsProcess'> {
  /** How long an answer may take, in milliseconds: 1 to 2^31 - 1. Default: 250. */
  readonly timeoutMs?: number;
  /**
   * What becomes of checks where the service can't be reached or doesn't answer in time: `deny` lets nothing pass,
   * `allow` everything and uncounted, `throw` tells the caller. Default: `deny`.
   */
  readonly whenUnreachable?: UnreachablePolicy;
  /**
   * `stream`: checks share one stream, which costs a fraction. Its messages have up to 320 KiB; a service that takes
   * less (MAX_MESSAGE_BYTES) is asked by `unary`: a call for each check. Default: `stream`.
   */
  readonly transport?: 'stream' | 'unary';
  /** How many denials are remembered, to answer the same again without asking. Default: 0, none. */
  readonly denialCacheKeys?: number;
  /** How long a denial is remembered at most, in milliseconds: so long a reset can go unnoticed. Default: 1000. */
  readonly denialCacheMaxMs?: number;
  /**
   * A stream is followed by another after so long, or up to half of it earlier, in milliseconds: 1 to 2^31 - 1. Each may
   * be opened at another replica, so that one that was added gets its share. Default: 60,000.
   */
  readonly maxStreamMs?: number;
  /** Told when the service becomes unreachable, with the reason, and when it answers again. Must not throw. */
  readonly onStateChange?: (state: LimiterState, error: ConnectError | undefined) => void;
}

/** The options, each with a value. */
export type CompleteLimiterOptions = LimiterOptions &
  Required<Omit<LimiterOptions, keyof GrpcTransportOptions>>;

/** @throws RangeError naming an option that is out of its range */
export function completeOptions(options: LimiterOptions): CompleteLimiterOptions {
  const complete = {
    ...options,
    timeoutMs: options.timeoutMs ?? 250,
    whenUnreachable: options.whenUnreachable ?? 'deny',
    transport: options.transport ?? 'stream',
    denialCacheKeys: options.denialCacheKeys ?? 0,
    denialCacheMaxMs: options.denialCacheMaxMs ?? 1000,
    maxStreamMs: options.maxStreamMs ?? 60_000,
    onStateChange: options.onStateChange ?? (() => undefined),
  } as const;
  integer('timeoutMs', complete.timeoutMs, 1);
  integer('maxStreamMs', complete.maxStreamMs, 1);
  integer('denialCacheKeys', complete.denialCacheKeys, 0);
  integer('denialCacheMaxMs', complete.denialCacheMaxMs, 0);
  oneOf('whenUnreachable', complete.whenUnreachable, ['allow', 'deny', 'throw']);
  oneOf('transport', complete.transport, ['stream', 'unary']);
  return complete;
}

function integer(name: string, value: number, min: number): void {
  if (Number.isInteger(value) && value >= min && value <= MAX_TIMER_MS) return;
  throw new RangeError(`${name} must be an integer from ${min} to ${MAX_TIMER_MS}`);
}

function oneOf(name: string, value: string, values: readonly string[]): void {
  if (!values.includes(value)) throw new RangeError(`${name} must be one of ${values.join(', ')}`);
}
