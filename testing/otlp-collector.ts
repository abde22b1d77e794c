import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A span as a collector received it. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined: it began the trace. */
  readonly parentSpanId: string | undefined;
  readonly traceState: string | undefined;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of what sent it. */
  readonly resource: Readonly<Record<string, unknown>>;
  readonly isError: boolean;
  /** Since the epoch. */
  readonly startMicros: number;
  readonly durationMicros: number;
}

/** What a collector does with requests. */
export type CollectorBehaviour =
  | 'take'
  /** Takes requests and never answers. */
  | 'hang'
  /** Answers with a status of HTTP, and takes nothing. */
  | { readonly status: number }
  /** Takes spans after so many milliseconds. */
  | { readonly afterMs: number }
  /** Takes requests and says that it refused so many of their spans. */
  | { readonly refused: number };

const KINDS = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const;

/** A collector of OTLP over HTTP as JSON, on a free port of the loopback. */
export class OtlpCollector implements AsyncDisposable {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  behaviour: CollectorBehaviour = 'take';
  /** In the order in which they came. */
  readonly spans: CollectedSpan[] = [];
  /** Every request's headers and body as they came. */
  readonly requests: { readonly headers: IncomingMessage['headers']; readonly body: string }[] = [];
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      // A sender that gives up is part of what tests are about.
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(port = 0): Promise<OtlpCollector> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return new OtlpCollector(server);
  }

  /** The spans of one trace. */
  trace(traceId: string): readonly CollectedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    this.requests.push({ headers: request.headers, body });
    const { behaviour } = this;
    if (behaviour === 'hang') return;
    if (request.method !== 'POST' || request.url !== '/v1/traces') {
      response.writeHead(404).end();
      return;
    }
    if (typeof behaviour === 'object' && 'status' in behaviour) {
      // A redirect leads nowhere that would take spans.
      response.writeHead(behaviour.status, { location: '/elsewhere' }).end();
      return;
    }
    if (typeof behaviour === 'object' && 'afterMs' in behaviour) await sleep(behaviour.afterMs);
    this.spans.push(...readSpans(body));
    const refused = typeof behaviour === 'object' && 'refused' in behaviour ? behaviour.refused : 0;
    const answer = refused === 0 ? {} : { partialSuccess: { rejectedSpans: String(refused) } };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface OtlpSpan extends Omit<CollectedSpan, 'kind' | 'attributes'> {
  readonly kind: number;
  readonly attributes: readonly KeyValue[];
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code: number };
}

interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

/** @throws Error where the text is no ExportTraceServiceRequest */
function readSpans(body: string): CollectedSpan[] {
  const { resourceSpans } = JSON.parse(body) as OtlpRequest;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => readSpan(span, readAttributes(resource.attributes))),
    ),
  );
}

function readSpan(span: OtlpSpan, resource: CollectedSpan['resource']): CollectedSpan {
  const start = BigInt(span.startTimeUnixNano);
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    traceState: span.traceState,
    name: span.name,
    kind: KINDS[span.kind] ?? 'internal',
    attributes: readAttributes(span.attributes),
    resource,
    isError: span.status.code === 2,
    startMicros: Number(start / 1000n),
    durationMicros: Number((BigInt(span.endTimeUnixNano) - start) / 1000n),
  };
}

function readAttributes(attributes: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
