import type { DescMethod } from '@bufbuild/protobuf';
import type { Code } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import { Counter, Gauge } from 'prom-client';
import type { InFlight } from '../in-flight.ts';
import type { Metrics } from './metrics.ts';
import { PlainHistogram, SECONDS } from './plain-histogram.ts';
import { type Sample, tell } from './told-metric.ts';

const DURATION = 'optix_rpc_duration_seconds';

/** By how calls ended: a {@link Code}, or 0. */
type ByCode = (PlainHistogram | undefined)[];

/** Counts and times calls by what they asked for and how they ended: never by anything that a caller made up. */
export class RpcMetrics {
  readonly #ofMethods = new Map<DescMethod, ByCode>();
  readonly #ofRoutes = new Map<string, ByCode>();
  readonly #refused: Counter<'status'>;

  constructor(metrics: Metrics, inFlight: InFlight) {
    const { registry } = metrics;
    tell(metrics, {
      name: DURATION,
      help: 'Time of calls that reached a handler; of a stream, how long it was open.',
      type: 'histogram',
      samples: () => this.#samples(),
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
    record(this.#ofMethods, method, code, seconds);
  }

  /** A request to a route beside the RPCs, by its entry in the policy, for example `GET /forward-auth/nginx`. */
  routeEnded(policyEntry: string, code: Code | undefined, seconds: number): void {
    record(this.#ofRoutes, policyEntry, code, seconds);
  }

  /** A request of HTTP that never reached a handler. */
  refused(status: number): void {
    this.#refused.inc({ status });
  }

  *#samples(): Iterable<Sample> {
    for (const [{ parent, name }, byCode] of this.#ofMethods) yield* samplesOf(parent.typeName, name, byCode);
    for (const [entry, byCode] of this.#ofRoutes) yield* samplesOf('http', entry, byCode);
  }
}

function record<K>(all: Map<K, ByCode>, key: K, code: Code | undefined, seconds: number): void {
  let byCode = all.get(key);
  if (byCode === undefined) {
    byCode = [];
    all.set(key, byCode);
  }
  let durations = byCode[code ?? 0];
  if (durations === undefined) {
    durations = new PlainHistogram(SECONDS);
    byCode[code ?? 0] = durations;
  }
  durations.observe(seconds);
}

function* samplesOf(service: string, method: string, byCode: ByCode): Iterable<Sample> {
  for (const [code, durations] of byCode.entries()) {
    const ended = code === 0 ? 'ok' : codeToString(code);
    if (durations !== undefined) yield* durations.samples(DURATION, { service, method, code: ended });
  }
}
