import { randomUUID } from 'node:crypto';
import { defaultResource, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace';
import { Counter } from 'prom-client';
import packageJson from '../../package.json' with { type: 'json' };
import type { RouteHandler } from '../http-route.ts';
import { LogThrottle } from '../log-throttle.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { ServiceTable } from '../service-table.ts';
import { UNKNOWN_CALLER } from './active-span.ts';
import { CallSpans } from './call-spans.ts';
import { OtlpSender } from './otlp-sender.ts';
import { routeWithSpans } from './route-spans.ts';
import { SpanQueue } from './span-queue.ts';
import type { TracingSettings } from './tracing-settings.ts';

/** Of a collector that is away there is a line this often, in milliseconds. */
const LOG_EVERY_MS = 60_000;
/** Characters of an attribute that a span keeps. */
const MAX_ATTRIBUTE_LENGTH = 1024;

/** Makes spans of calls and sends them to a collector. Disposing it sends what is left, for two seconds at most. */
export interface Tracing extends AsyncDisposable {
  /** The same table, each of whose calls has a span. Outside of the pipeline, so that its log lines are within. */
  wrap(table: ServiceTable): ServiceTable;
  /** The same route, each of whose requests has a span. @param name for example `GET /forward-auth/nginx` */
  wrapRoute(name: string, route: RouteHandler): RouteHandler;
}

/**
 * Begins to trace.
 *
 * @param service its name in spans, for example `optix-identity`
 * @returns undefined where the settings name no collector.
 */
export function openTracing(
  settings: TracingSettings & { readonly environment: string },
  service: string,
  logger: Logger,
  { registry }: Metrics,
): Tracing | undefined {
  const dropped = new Counter({
    name: 'optix_trace_spans_dropped_total',
    help: 'Spans that were not sent: the queue was full, or the collector refused them.',
    registers: [registry],
  });
  const { otlpEndpoint: endpoint, otlpHeaders = {}, tracesSampleRatio, environment } = settings;
  if (endpoint === undefined) return undefined;

  const ratio = Number(tracesSampleRatio);
  const sender = new OtlpSender(endpoint, otlpHeaders);
  const [failures, drops] = [new LogThrottle(LOG_EVERY_MS), new LogThrottle(LOG_EVERY_MS)];
  const queue = new SpanQueue({
    send: async (spans, signal) => await sender.send(spans, signal),
    // Whoever can reach the port could have everything recorded, and push the spans of others out.
    keeps: (span) => !isRecordedForUnknown(span) || Math.random() < ratio,
    onFailure: ({ message: reason, cause }) => {
      const keptBack = failures.pass();
      if (keptBack === undefined) return;
      logger.warn({ endpoint, reason, err: cause, kept_back: keptBack }, 'the collector does not take spans');
    },
    onDropped: (spans) => {
      dropped.inc(spans);
      const keptBack = drops.pass();
      if (keptBack !== undefined) logger.warn({ spans, kept_back: keptBack }, 'spans were dropped');
    },
  });
  const provider = new TracerProvider({
    resource: serviceResource(service, environment),
    // CallSpans has decided before it asks.
    sampler: new AlwaysOnSampler(),
    spanLimits: { attributeValueLengthLimit: MAX_ATTRIBUTE_LENGTH },
    spanProcessors: [queue],
  });
  const spans = new CallSpans(provider.getTracer('optix', packageJson.version), ratio);
  return {
    wrap: (table) => spans.wrap(table),
    wrapRoute: (name, route) => routeWithSpans(spans, name, route),
    [Symbol.asyncDispose]: async () => await provider.shutdown(),
  };
}

/** Whether a span is there since a caller said so who then turned out not to be known. */
function isRecordedForUnknown({ attributes, parentSpanContext }: ReadableSpan): boolean {
  return attributes[UNKNOWN_CALLER] === true && parentSpanContext?.isRemote === true;
}

/** What all spans of a service have in common, by OpenTelemetry's conventions. Nothing of it is read from the environment. */
function serviceResource(service: string, environment: string): Resource {
  return defaultResource().merge(
    resourceFromAttributes({
      'service.name': service,
      'service.version': packageJson.version,
      'service.instance.id': randomUUID(),
      'process.pid': process.pid,
      'deployment.environment.name': environment,
    }),
  );
}
