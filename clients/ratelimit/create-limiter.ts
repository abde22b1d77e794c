import { Code, ConnectError } from '@connectrpc/connect';
import type {
  CheckLimitRequest,
  CheckLimitResponse,
  PeekLimitResponse,
  RefundLimitResponse,
  RenewLeaseResponse,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { canceled } from '../grpc/call-error.ts';
import { CheckLane } from './check-lane.ts';
import { checkBytes, checkMessage } from './check-message.ts';
import { DenialMemory } from './denial-memory.ts';
import type { Check, CheckOptions, LimitAnswer, LimitAnswers, Limiter, LimiterState } from './limiter.ts';
import {
  type CompleteLimiterOptions,
  completeOptions,
  type LimiterOptions,
  MAX_TIMER_MS,
} from './limiter-options.ts';
import { ServiceConnection } from './service-connection.ts';
import { policyAnswer } from './unreachable-policy.ts';

/** A check that takes more, in bytes, breaks the service's bounds: that must not end the stream of the others. */
const MOST_STREAMED_BYTES = 65_536;

/**
 * A rate limiter's client that has an answer within its time-out whatever happens: the service's, a denial that is
 * remembered, or the policy's (`whenUnreachable`). Connects with the first check.
 *
 * A check is counted once at most: where its answer was lost it may have been counted, so the policy answers. Where a
 * replica ends its work in order, it says what it did not count, and that is asked of another. Once the service could
 * not be reached, the policy answers at once, until a probe has found it again: some two seconds after its return
 * at the latest. Refusals by the service, such as INVALID_ARGUMENT or UNAUTHENTICATED, are thrown and never answered
 * by the policy.
 *
 * An open limiter keeps no process alive, a check under way does. Disposed of, it answers what is under way and
 * throws UNAVAILABLE for what comes later.
 *
 * @throws RangeError for an option that is out of its range; TypeError as createGrpcTransport()
 *
 * @example
 * using limiter = createLimiter({ address: 'localhost:50052', whenUnreachable: 'deny' });
 * const { allowed } = await limiter.check({ endpoint: 'orders', identifier: 'user:4711' });
 */
export function createLimiter(options: LimiterOptions): Limiter {
  return new RemoteLimiter(completeOptions(options));
}

class RemoteLimiter implements Limiter {
  readonly #options: CompleteLimiterOptions;
  readonly #connection: ServiceConnection;
  readonly #lane: CheckLane | undefined;
  readonly #memory: DenialMemory | undefined;
  #disposed = false;

  constructor(options: CompleteLimiterOptions) {
    this.#options = options;
    const connection = new ServiceConnection(options);
    this.#connection = connection;
    if (options.denialCacheKeys > 0) {
      this.#memory = new DenialMemory(options.denialCacheKeys, options.denialCacheMaxMs);
    }
    if (options.transport === 'stream') {
      this.#lane = new CheckLane({
        open: (requests, signal) => connection.client.streamCheckLimits(requests, { signal }),
        silentMs: options.timeoutMs,
        maxStreamMs: options.maxStreamMs,
        onAnswers: () => connection.circuit.answered(),
        onFailure: (failure, silent) => connection.failed(failure, silent),
      });
    }
  }

  get state(): LimiterState {
    return this.#connection.circuit.state;
  }

  async check(check: Check, options: CheckOptions = {}): Promise<LimitAnswer> {
    const timeoutMs = this.#admit(options);
    const message = checkMessage(check);
    const remembered = this.#memory?.recall(message);
    if (remembered !== undefined) return { allowed: false, decision: remembered, answeredBy: 'denial_cache' };
    const { failure } = this.#connection.circuit;
    if (failure !== undefined) return this.#policyAnswer(failure);
    const askedAt = this.#memory === undefined ? 0 : performance.now();
    let decision: CheckLimitResponse;
    try {
      decision = await this.#ask(message, timeoutMs, options.signal);
    } catch (error) {
      return this.#policyAnswer(error);
    }
    this.#memory?.note(message, decision, askedAt);
    return byService(decision);
  }

  async checkAll(
    checks: readonly Check[],
    options: CheckOptions & { readonly allOrNothing?: boolean } = {},
  ): Promise<LimitAnswers> {
    const { signal, allOrNothing = false } = options;
    const timeoutMs = this.#admit(options);
    const request = { checks: [...checks], allOrNothing };
    try {
      const { failure } = this.#connection.circuit;
      if (failure !== undefined) throw failure;
      const { decisions, allAllowed, receipt } = await this.#connection.call((client) =>
        client.batchCheckLimits(request, callOptions(timeoutMs, signal)),
      );
      return { answers: decisions.map(byService), allAllowed, receipt };
    } catch (error) {
      const answer = this.#policyAnswer(error);
      return { answers: checks.map(() => answer), allAllowed: answer.allowed, receipt: '' };
    }
  }

  async peek(check: Check, options: CheckOptions = {}): Promise<PeekLimitResponse> {
    const call = callOptions(this.#admit(options), options.signal);
    return await this.#connection.client.peekLimit({ check }, call);
  }

  async refund(receipt: string, options: CheckOptions = {}): Promise<RefundLimitResponse> {
    const call = callOptions(this.#admit(options), options.signal);
    try {
      return await this.#connection.client.refundLimit({ receipt }, call);
    } finally {
      // Also where the answer was lost: the units may be back.
      this.#memory?.forget(receipt);
    }
  }

  async renew(receipt: string, options: CheckOptions = {}): Promise<RenewLeaseResponse> {
    const call = callOptions(this.#admit(options), options.signal);
    return await this.#connection.client.renewLease({ receipt }, call);
  }

  /** The call's time-out. @throws ConnectError where the call can't be made at all */
  #admit({ signal, timeoutMs = this.#options.timeoutMs }: CheckOptions): number {
    if (this.#disposed) throw new ConnectError('the limiter was disposed of', Code.Unavailable);
    if (signal?.aborted === true) throw canceled(signal);
    if (timeoutMs > 0 && timeoutMs <= MAX_TIMER_MS) return timeoutMs;
    throw new ConnectError(`timeoutMs must be more than 0, ${MAX_TIMER_MS} at most`, Code.InvalidArgument);
  }

  #ask(
    message: CheckLimitRequest,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<CheckLimitResponse> {
    if (this.#lane !== undefined && checkBytes(message) <= MOST_STREAMED_BYTES) {
      return this.#lane.ask(message, timeoutMs, signal);
    }
    return this.#connection.call((client) => client.checkLimit(message, callOptions(timeoutMs, signal)));
  }

  #policyAnswer(error: unknown): LimitAnswer {
    return policyAnswer(this.#options.whenUnreachable, error);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#lane?.[Symbol.dispose]();
    this.#connection[Symbol.dispose]();
  }
}

function byService(decision: CheckLimitResponse): LimitAnswer {
  return { allowed: decision.allowed, decision, answeredBy: 'service' };
}

function callOptions(timeoutMs: number, signal: AbortSignal | undefined) {
  return signal === undefined ? { timeoutMs } : { timeoutMs, signal };
}
