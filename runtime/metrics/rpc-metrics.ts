import type { DescMethod } from '@bufbuild/protobuf';
import type { Code } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { InFlight } from '../in-flight.ts';
import type { Metrics } from './metrics.ts';

/** From half a millisecond, a check's time, to ten seconds. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts and times calls by what they asked for and how they ended: never by anything that a caller made up. */
export class RpcMetrics {
  readonly #durations: Histogram<'service' | 'method' | 'code'>;
  readonly #refused: Counter<'status'>;

  constructor({ registry }: Metrics, inFlight: InFlight) {
    this.#durations = new Histogram({
      name: 'optix_rpc_duration_seconds',
      help: 'Time of calls that reached a handler; of a stream, how long it was open.',
      labelNames: ['service', 'method', 'code'],
      buckets: SECONDS,
      registers: [registry],
    });
    this.#refused = new Counter({
      name: 'optix_http_refused_requests_total',
      help: 'Requests on the HTTP port that were refused before they reached a handler.',
      labelNames: ['status'],
      registers: [registry],
    });
    new Gauge({
      name: 'optix_rpcs_in_flight',
      help: 'Calls that have begun and not ended.',
      registers: [registry],
      collect() {
        this.set(inFlight.count);
      },
    });
  }

  /** @param code undefined: it ended well */
  ended(method: DescMethod, code: Code | undefined, seconds: number): void {
    this.#record(method.parent.typeName, method.name, code, seconds);
  }

  /** A request to a route beside the RPCs, by its entry in the policy, for example `GET /forward-auth/nginx`. */
  routeEnded(policyEntry: string, code: Code | undefined, seconds: number): void {
    this.#record('http', policyEntry, code, seconds);
  }

  /** A request of HTTP that never reached a handler. */
  refused(status: number): void {
    this.#refused.inc({ status });
  }

  #record(service: string, method: string, code: Code | undefined, seconds: number): void {
    const ended = code === undefined ? 'ok' : codeToString(code);
    this.#durations.observe({ service, method, code: ended }, seconds);
  }
}
