import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import {
  AlwaysOnSampler,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGrpcTransport } from '../../clients/grpc/grpc-transport.ts';
import { EchoService } from '../../gen/optix/testing/v1/echo_service_pb.ts';
import { type RunningEcho, startEcho } from '../../testing/echo-service.ts';
import { failure } from '../../testing/failure.ts';
import { TRANSPORTS } from '../../testing/services.ts';
import { type ServiceTable, serviceTable } from '../service-table.ts';
import { activeSpan, MAX_INNER_SPANS, startClientSpan } from './active-span.ts';
import { CallSpans } from './call-spans.ts';
import { traceHeaders } from './trace-headers.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const sampled = { traceparent: `00-${TRACE}-${PARENT}-01` };
const unsampled = { traceparent: `00-${TRACE}-${PARENT}-00` };

const exporter = new InMemorySpanExporter();
const provider = new TracerProvider({
  sampler: new AlwaysOnSampler(),
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
});
const tracer = provider.getTracer('test');
/** What a handler saw as its trace at each of its steps. */
const seen: unknown[] = [];
const see = () => seen.push(activeSpan()?.spanContext().traceId);

const table = serviceTable(EchoService, {
  async echo({ behaviour, text }, { signal }) {
    see();
    if (behaviour === 'hang') await sleep(10_000, undefined, { signal });
    await sleep(1);
    see();
    if (behaviour === 'bug') throw new Error(`secret detail of ${text}`);
    if (behaviour === 'loud') throw new ConnectError(`secret ${text}`, Code.NotFound);
    if (behaviour === 'down') throw new ConnectError(`secret ${text}`, Code.Unavailable);
    if (behaviour === 'inner') {
      for (let asked = 0; asked < Number(text); asked += 1) startClientSpan('ask', {})?.end();
    }
    return { text: traceHeaders(undefined)['traceparent'] ?? '' };
  },
  async *repeat({ text, count }) {
    for (let sent = 0; sent < count; sent += 1) {
      see();
      await sleep(1);
      startClientSpan('ask', { sent })?.end();
      yield { text };
      if (text === 'bug') throw new ConnectError('secret detail', Code.DataLoss);
    }
  },
  async join(requests) {
    let all = '';
    for await (const { text } of requests) {
      see();
      all += text;
    }
    return { text: all };
  },
  async *chat(requests) {
    for await (const { text } of requests) {
      see();
      yield { text };
    }
  },
});

let echo: RunningEcho;
let never: RunningEcho;
beforeAll(async () => {
  const start = async (services: readonly ServiceTable[]) =>
    await startEcho({ grpc: { services }, http: { services } });
  echo = await start([new CallSpans(tracer, 1).wrap(table)]);
  never = await start([new CallSpans(tracer, 0).wrap(table)]);
});
afterAll(async () => {
  await echo[Symbol.asyncDispose]();
  await never[Symbol.asyncDispose]();
});
beforeEach(() => {
  exporter.reset();
  seen.length = 0;
});

function client(name: (typeof TRANSPORTS)[number], { grpcAddress, httpUrl }: RunningEcho = echo) {
  const transport =
    name === 'gRPC'
      ? createGrpcTransport({ address: grpcAddress })
      : createConnectTransport({ baseUrl: httpUrl, httpVersion: '2' });
  return createClient(EchoService, transport);
}

/** The spans of calls, once there are so many. */
async function spans(count = 1) {
  return await vi.waitFor(() => {
    const finished = exporter.getFinishedSpans();
    if (finished.length < count) throw new Error(`${finished.length} spans`);
    return finished;
  });
}

async function* messages(...texts: string[]) {
  for (const text of texts) yield { text };
}

describe.each(TRANSPORTS)('a call over %s', (name) => {
  it('has a span within the trace that its caller sent, and so has what the handler does', async () => {
    const tracestate = 'vendor=opaque';
    await client(name).echo({ text: 'a' }, { headers: { ...sampled, tracestate } });
    const [span] = await spans();
    expect(span).toMatchObject({
      name: 'optix.testing.v1.EchoService/Echo',
      kind: 1,
      attributes: {
        'rpc.system.name': name === 'gRPC' ? 'grpc' : 'connectrpc',
        'rpc.method': 'optix.testing.v1.EchoService/Echo',
        'rpc.status_code': 'OK',
      },
      parentSpanContext: { traceId: TRACE, spanId: PARENT, isRemote: true },
      status: { code: 0 },
    });
    expect(span?.spanContext().traceState?.serialize()).toBe(tracestate);
    expect(seen).toEqual([TRACE, TRACE]);
  });

  it('that its caller does not record is not recorded, and its trace goes on', async () => {
    const { text } = await client(name).echo({ text: 'a' }, { headers: unsampled });
    expect(text).toBe(unsampled.traceparent);
    expect(seen).toEqual([TRACE, TRACE]);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  it.each([
    ['that brings no trace', {}],
    ['whose traceparent is not valid', { traceparent: `00-${TRACE.toUpperCase()}-${PARENT}-01` }],
  ])('%s begins one', async (_name, headers) => {
    await client(name).echo({ text: 'a' }, { headers: headers as Record<string, string> });
    const [span] = await spans();
    expect(span?.parentSpanContext).toBeUndefined();
    expect(span?.spanContext().traceId).not.toBe(TRACE);
  });

  it('that chance leaves out tells other servers that it is not recorded', async () => {
    const { text } = await client(name, never).echo({ text: 'a' });
    expect(text).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-00$/);
    expect(seen).toEqual([undefined, undefined]);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  it.each([
    ['loud', 'NOT_FOUND', false],
    ['down', 'UNAVAILABLE', true],
    ['bug', 'UNKNOWN', true],
  ])('that fails (%s) has its code %s, and nothing of its text', async (behaviour, code, isError) => {
    await failure(client(name).echo({ text: 'planted', behaviour }));
    const [span] = await spans();
    expect(span?.attributes['rpc.status_code']).toBe(code);
    expect(span?.attributes['error.type']).toBe(isError ? code : undefined);
    expect(span?.status).toEqual({ code: isError ? 2 : 0 });
    expect(JSON.stringify([span?.attributes, span?.events, span?.status])).not.toMatch(/secret|planted/);
  });

  it('whose caller stops waiting ends with its code', async () => {
    await failure(client(name).echo({ behaviour: 'hang' }, { timeoutMs: 100 }));
    const [span] = await spans();
    expect(span?.attributes['rpc.status_code']).toMatch(/^(CANCELED|DEADLINE_EXCEEDED|UNKNOWN)$/);
  });

  it('that answers with a stream has one span for all of it, which each step is within', async () => {
    let count = 0;
    for await (const _ of client(name).repeat({ text: 'a', count: 3 }, { headers: sampled })) count += 1;
    expect(count).toBe(3);
    const [first, second, third, call] = await spans(4);
    for (const asked of [first, second, third]) {
      expect(asked?.parentSpanContext?.spanId).toBe(call?.spanContext().spanId);
    }
    expect(call?.attributes['rpc.status_code']).toBe('OK');
    expect(seen).toEqual([TRACE, TRACE, TRACE]);
  });

  it('whose stream fails ends with its code', async () => {
    const stream = client(name).repeat({ text: 'bug', count: 3 });
    await failure(Array.fromAsync(stream));
    const [, call] = await spans(2);
    expect(call?.attributes['rpc.status_code']).toBe('DATA_LOSS');
    expect(call?.status).toEqual({ code: 2 });
  });

  it('whose stream nobody reads to its end ends as canceled', async () => {
    const left = new AbortController();
    await failure(
      (async () => {
        for await (const _ of client(name).repeat({ text: 'a', count: 100_000 }, { signal: left.signal }))
          left.abort();
      })(),
    );
    const call = await vi.waitFor(() => {
      const found = exporter.getFinishedSpans().find(({ kind }) => kind === 1);
      if (found === undefined) throw new Error('not ended');
      return found;
    });
    expect(call.attributes['rpc.status_code']).toBe('CANCELED');
  });

  it('that is asked with a stream has one span for all of it', async () => {
    await client(name).join(messages('a', 'b'), { headers: sampled });
    const [call] = await spans();
    expect(call?.name).toBe('optix.testing.v1.EchoService/Join');
    expect(seen).toEqual([TRACE, TRACE]);
  });

  it('with streams both ways has one span for all of it', async () => {
    await Array.fromAsync(client(name).chat(messages('a', 'b', 'c'), { headers: sampled }));
    const [call] = await spans();
    expect(call?.attributes['rpc.status_code']).toBe('OK');
    expect(seen).toEqual([TRACE, TRACE, TRACE]);
  });

  it('has a bounded number of spans within, and says how many it has not', async () => {
    await client(name).echo({ behaviour: 'inner', text: String(MAX_INNER_SPANS + 7) });
    const all = await spans(MAX_INNER_SPANS + 1);
    expect(all).toHaveLength(MAX_INNER_SPANS + 1);
    expect(all.at(-1)?.attributes['optix.spans_left_out']).toBe(7);
  });
});

it('a handler that answers at once still does', () => {
  const at = { ...table, handlers: { ...table.handlers, echo: () => ({ text: 'now' }) } };
  for (const ratio of [0, 1]) {
    const { echo: handler } = new CallSpans(tracer, ratio).wrap(at).handlers;
    const context = {
      requestHeader: new Headers(),
      protocolName: 'connect',
      signal: new AbortController().signal,
    };
    expect(handler?.({}, context as never)).toEqual({ text: 'now' });
  }
});

it('calls that are answered at the same time do not see each other', async () => {
  const traces = Array.from({ length: 50 }, (_, index) => String(index + 1).padStart(32, '0'));
  await Promise.all(
    traces.map(async (id) => {
      const headers = { traceparent: `00-${id}-${PARENT}-01` };
      const { text } = await client('gRPC').echo({ text: 'a' }, { headers });
      expect(text.slice(3, 35)).toBe(id);
    }),
  );
});

it('outside of a call there is no span, and nothing is told to other servers', () => {
  expect(activeSpan()).toBeUndefined();
  expect(startClientSpan('ask', {})).toBeUndefined();
  expect(traceHeaders(undefined)).toEqual({});
});
