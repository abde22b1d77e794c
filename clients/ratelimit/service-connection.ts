import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { RateLimitService } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { createGrpcTransport, type GrpcTransport } from '../grpc/grpc-transport.ts';
import type { CompleteLimiterOptions } from './limiter-options.ts';
import { ServiceCircuit } from './service-circuit.ts';
import { Silence } from './silence.ts';
import { isUnreachable } from './unreachable-policy.ts';

/**
 * A connection is given so long to answer for the first time before another is made in its place, in milliseconds.
 */
const CONNECTING_MS = 2_000;

/** The connection to the service, and what is known of whether it answers. */
export class ServiceConnection implements Disposable {
  readonly #options: CompleteLimiterOptions;
  readonly #silence = new Silence();
  readonly #circuit: ServiceCircuit;
  #transport: GrpcTransport;
  #client: Client<typeof RateLimitService>;
  #connectedAt = performance.now();
  #callsUnderWay = 0;
  #disposed = false;

  constructor(options: CompleteLimiterOptions) {
    this.#options = options;
    this.#transport = this.#connect();
    this.#client = createClient(RateLimitService, this.#transport);
    this.#circuit = new ServiceCircuit({
      probe: () => this.#probe(),
      onStateChange: options.onStateChange,
    });
  }

  get client(): Client<typeof RateLimitService> {
    return this.#client;
  }

  get circuit(): ServiceCircuit {
    return this.#circuit;
  }

  /** A unary call, from whose outcome the circuit learns. @throws ConnectError */
  async call<T>(start: (client: Client<typeof RateLimitService>) => Promise<T>): Promise<T> {
    this.#silence.asked(performance.now());
    this.#callsUnderWay += 1;
    try {
      const answer = await start(this.#client);
      this.#callsUnderWay -= 1;
      this.#heard();
      return answer;
    } catch (error) {
      this.#callsUnderWay -= 1;
      if (error instanceof ConnectError) this.#learn(error);
      throw error;
    }
  }

  /** The way to the service has failed. @param silent whether nothing was heard of it at all */
  failed(failure: ConnectError, silent: boolean): void {
    if (silent) this.#replace();
    this.#circuit.open(failure);
  }

  #learn(error: ConnectError): void {
    if (error.code === Code.Canceled) return;
    if (error.code === Code.DeadlineExceeded) {
      if (this.#silence.lasts(this.#options.timeoutMs)) this.failed(error, true);
    } else if (isUnreachable(error)) {
      this.failed(error, false);
    } else {
      this.#heard();
    }
  }

  #heard(): void {
    this.#silence.heard(this.#callsUnderWay > 0);
    this.#circuit.answered();
  }

  /** A check of nothing: refused with INVALID_ARGUMENT where the service answers, and counted nowhere. */
  async #probe(): Promise<void> {
    try {
      await this.#client.checkLimit({}, { timeoutMs: this.#options.timeoutMs });
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.DeadlineExceeded) this.#replace();
      throw error;
    }
  }

  #connect(): GrpcTransport {
    // Checks hold the process by their time-outs; a stream that only waits for the next check must not.
    return createGrpcTransport({ ...this.#options, keepsProcess: false });
  }

  /**
   * Makes another connection in place of one that has gone silent: one to a machine that vanished would be believed
   * in until TCP or keepalive gives it up, while its successor answers already.
   */
  #replace(): void {
    const now = performance.now();
    if (this.#disposed || now - this.#connectedAt < CONNECTING_MS) return;
    this.#transport[Symbol.dispose]();
    this.#transport = this.#connect();
    this.#client = createClient(RateLimitService, this.#transport);
    this.#connectedAt = now;
  }

  /** Calls under way go on. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#circuit[Symbol.dispose]();
    // Connect's clients hand a call to the transport some microtasks after it was made.
    setImmediate(() => this.#transport[Symbol.dispose]());
  }
}
