import { setTimeout as sleep } from 'node:timers/promises';
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OtlpCollector } from '../../testing/otlp-collector.ts';
import { type CollectorFailure, OtlpSender } from './otlp-sender.ts';
import { MAX_WAITING, SpanQueue } from './span-queue.ts';

let collector: OtlpCollector;
let failures: CollectorFailure[];
let dropped: number;
beforeEach(async () => {
  collector = await OtlpCollector.start();
  failures = [];
  dropped = 0;
});
afterEach(async () => await collector[Symbol.asyncDispose]());

function open(endpoint = collector.endpoint) {
  const sender = new OtlpSender(endpoint, { 'x-key': 'planted' });
  const queue = new SpanQueue({
    send: async (spans, signal) => await sender.send(spans, signal),
    onFailure: (failure) => failures.push(failure),
    onDropped: (spans) => {
      dropped += spans;
    },
  });
  const provider = new TracerProvider({ sampler: new AlwaysOnSampler(), spanProcessors: [queue] });
  const tracer = provider.getTracer('test');
  const end = (count: number) => {
    for (let made = 0; made < count; made += 1) tracer.startSpan('work').end();
  };
  return { provider, tracer, end };
}

describe('spans that have ended', () => {
  it('reach the collector within a second or so, as they were, with the headers of the settings', async () => {
    const { provider, tracer } = open(`${collector.endpoint}/`);
    const span = tracer.startSpan('ask', {
      attributes: { text: 'a', whole: 42, part: 0.5, yes: true, list: ['x', 'y'] },
      startTime: [1_700_000_000, 5_000_000],
    });
    span.end([1_700_000_001, 0]);
    await vi.waitFor(() => expect(collector.spans).toHaveLength(1), 3000);
    expect(collector.spans[0]).toMatchObject({
      ...{ traceId: span.spanContext().traceId, spanId: span.spanContext().spanId, name: 'ask' },
      attributes: { text: 'a', whole: '42', part: 0.5, yes: true },
      ...{ startMicros: 1_700_000_000_005_000, durationMicros: 995_000, isError: false },
    });
    expect(collector.requests[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-key': 'planted',
    });
    await provider.shutdown();
  });

  it('keep their links', async () => {
    const { provider, tracer } = open();
    const other = tracer.startSpan('other').spanContext();
    tracer.startSpan('batch', { links: [{ context: other }] }).end();
    await provider.shutdown();
    const { resourceSpans } = JSON.parse(collector.requests[0]?.body ?? '');
    expect(resourceSpans[0].scopeSpans[0].spans[0].links).toMatchObject([
      { traceId: other.traceId, spanId: other.spanId },
    ]);
  });

  it('are sent when the process ends, all of them', async () => {
    const { provider, end } = open();
    end(2000);
    await provider.shutdown();
    expect(collector.spans).toHaveLength(2000);
    expect({ dropped, failures }).toEqual({ dropped: 0, failures: [] });
  });

  it('are counted as dropped after that', async () => {
    const { provider, end } = open();
    await provider.shutdown();
    end(3);
    expect(dropped).toBe(3);
  });
});

describe('a collector that does not take spans', () => {
  it('is asked again after 503, and nothing is lost', async () => {
    collector.behaviour = { status: 503 };
    const { provider, end } = open();
    end(10);
    await vi.waitFor(() => expect(failures).toHaveLength(1), 3000);
    collector.behaviour = 'take';
    await vi.waitFor(() => expect(collector.spans).toHaveLength(10), 4000);
    expect(dropped).toBe(0);
    await provider.shutdown();
  });

  it.each([400, 401, 307])('is not asked again after %d', async (status) => {
    collector.behaviour = { status };
    const { provider, end } = open();
    end(10);
    await provider.shutdown();
    expect({ dropped, asked: collector.requests.length }).toEqual({ dropped: 10, asked: 1 });
    expect(failures.map(({ message }) => message)).toEqual([`it answers with status ${status}`]);
  });

  it('that says how many it refused is believed', async () => {
    collector.behaviour = { refused: 4 };
    const { provider, end } = open();
    end(10);
    await provider.shutdown();
    expect({ dropped, failures }).toEqual({ dropped: 4, failures: [] });
  });

  it('that is away costs the oldest spans: the latest are kept, and their number is bounded', async () => {
    const { endpoint } = collector;
    await collector[Symbol.asyncDispose]();
    const { provider, tracer, end } = open(endpoint);
    await vi.waitFor(() => {
      end(1);
      expect(failures.length).toBeGreaterThan(0);
    }, 3000);
    end(MAX_WAITING + 1000);
    const last = tracer.startSpan('last');
    last.end();
    expect(dropped).toBeGreaterThanOrEqual(1000);
    expect(failures[0]?.message).toBe('ECONNREFUSED');
    collector = await OtlpCollector.start(Number(new URL(endpoint).port));
    await provider.shutdown();
    expect(collector.spans.length).toBeGreaterThan(MAX_WAITING - 1000);
    expect(collector.spans.length).toBeLessThanOrEqual(MAX_WAITING);
    expect(collector.spans.at(-1)?.spanId).toBe(last.spanContext().spanId);
  });

  it('that hangs delays the end by two seconds at most, and what it did not take is counted', async () => {
    collector.behaviour = 'hang';
    const { provider, end } = open();
    end(1500);
    await sleep(50);
    const startedAt = performance.now();
    await provider.shutdown();
    expect(performance.now() - startedAt).toBeLessThan(2500);
    expect(dropped).toBe(1500);
  });
});
