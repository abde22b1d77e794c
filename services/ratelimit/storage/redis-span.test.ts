import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { type Attributes, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import {
  AlwaysOnSampler,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { CheckLimitRequestSchema } from '../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { singleRedis } from '../../../runtime/redis-target.ts';
import { runInSpan } from '../../../runtime/tracing/active-span.ts';
import { startRedis } from '../../../stack/redis-server.ts';
import { testRedisUrl } from '../../../testing/redis.ts';
import type { Verdict } from '../domain/decision-store.ts';
import { answering, World } from '../domain/testing-limiter.ts';
import { checkLimit } from '../rpc/rate-limit/check-limit.ts';
import { connectedStore, inspect, killRedis, take } from './testing-redis.ts';
import { askFor, termOf } from './testing-terms.ts';

const exporter = new InMemorySpanExporter();
const provider = new TracerProvider({
  sampler: new AlwaysOnSampler(),
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
});
const tracer = provider.getTracer('test');
const target = singleRedis(testRedisUrl());

beforeEach(() => exporter.reset());

/** Does something as the call that a span is of. @returns the span's id */
async function asCall(work: () => unknown): Promise<string> {
  const span = tracer.startSpan('call');
  await runInSpan(tracer, span, async () => await work());
  span.end();
  return span.spanContext().spanId;
}

const spans = () => exporter.getFinishedSpans().filter(({ name }) => name !== 'call');
const callAttributes = (): Attributes | undefined =>
  exporter.getFinishedSpans().find(({ name }) => name === 'call')?.attributes;

describe('a check that is traced', () => {
  it('has a span of its way to Redis, without the keys', async () => {
    await using store = await connectedStore(target);
    const terms = ['a', 'b'].map((name) => termOf('FAIL_OPEN', `ratelimit:t:{user:secret}:${name}`));
    const call = await asCall(() => store.decide(askFor(terms)));
    expect(spans()).toMatchObject([
      {
        name: 'EVALSHA decide',
        kind: SpanKind.CLIENT,
        parentSpanContext: { spanId: call },
        status: { code: SpanStatusCode.UNSET },
      },
    ]);
    expect(spans()[0]?.attributes).toEqual({
      'db.system.name': 'redis',
      'db.namespace': String(target.database),
      'db.operation.name': 'EVALSHA',
      'db.stored_procedure.name': 'decide',
      'server.address': '127.0.0.1',
      'server.port': target.nodes[0]?.port,
      'optix.keys': 2,
    });
    expect(
      JSON.stringify(spans().map(({ attributes, events, status }) => [attributes, events, status])),
    ).not.toContain('secret');
  });

  it('shares the round trip with others, each with a span of its own', async () => {
    await using store = await connectedStore(target);
    const ids = await Promise.all(
      [1, 2, 3].map((each) => asCall(() => take(store, `ratelimit:s:{${each}}`))),
    );
    await take(store, 'ratelimit:s:{nobody traces this}');
    expect(spans().map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(ids);
    for (const { attributes } of spans()) expect(attributes['db.operation.batch.size']).toBe(3);
  });

  it('has a span of what is given back and renewed', async () => {
    await using store = await connectedStore(target);
    const term = termOf('FAIL_OPEN', 'ratelimit:g:{user:1}', { algorithm: 'CONCURRENCY' });
    const [state] = await store.decide(askFor([term], { lease: 'op-1' }));
    const parts = [{ ...term, resetMicros: state?.resetMicros ?? 0 }];
    await asCall(() => store.renew('op-1', parts));
    await asCall(() => store.refund('op-1', parts));
    expect(spans().map(({ name }) => name)).toEqual(['EVALSHA renew', 'EVALSHA refund']);
  });

  it('has a span that failed where the key can not be used, or Redis does not answer', async () => {
    const server = await startRedis();
    onTestFinished(() => killRedis(server));
    await using admin = inspect(server.url);
    await using store = await connectedStore(singleRedis(server.url), { budgetMs: 200 });
    await admin.set('ratelimit:f:{user:secret}~l', 'foreign');
    await asCall(() => take(store, 'ratelimit:f:{user:secret}~l').catch(() => undefined));
    server.kill('SIGSTOP');
    await asCall(() => take(store, 'ratelimit:f:{user:secret}').catch(() => undefined));
    expect(spans()).toMatchObject([
      { status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'KeyUnusable' } },
      { status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'StoreUnavailable' } },
    ]);
    for (const { status, events } of spans()) expect([status.message, events]).toEqual([undefined, []]);
  });

  it.each(['REDIS', 'FALLBACK_LOCAL', 'FALLBACK_OPEN'] as const)(
    'tells on the span of the call that it was decided by %s',
    async (source) => {
      const verdict: Verdict = {
        source,
        states: [{ allowed: true, remaining: 1, resetMicros: 0, retryAfterMicros: 0 }],
      };
      const handler = checkLimit({ limiter: new World().limiter({ store: answering(verdict) }) });
      const request = create(CheckLimitRequestSchema, { endpoint: 'auth_login', identifier: 'user:secret' });
      // It looks at no context.
      await asCall(() => handler(request, {} as HandlerContext));
      expect(callAttributes()).toEqual({
        'optix.allowed': true,
        'optix.source': source,
        'optix.rule': 'auth_login',
      });
    },
  );
});

it('a check that is not traced makes no span', async () => {
  await using store = await connectedStore(target);
  await take(store, 'ratelimit:n:{user:1}');
  expect(exporter.getFinishedSpans()).toEqual([]);
});
