import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient, createRouterTransport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { BadRequestSchema, ErrorInfoSchema } from '../../../../gen/google/rpc/error_details_pb.ts';
import type { Status } from '../../../../gen/google/rpc/status_pb.ts';
import { Algorithm } from '../../../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  DecisionSource,
  RateLimitService,
  StreamCheckLimitsRequestSchema,
  type StreamCheckLimitsResponse_Item,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { Pipeline } from '../../../../runtime/pipeline.ts';
import { collectingLogger } from '../../../../testing/collecting-logger.ts';
import { failure, fieldsOf } from '../../../../testing/failure.ts';
import { testRedisUrl } from '../../../../testing/redis.ts';
import { DirectStore } from '../../domain/decision-store.ts';
import { DEFAULT_RULES } from '../../domain/default-rules.ts';
import { Limiter } from '../../domain/limiter.ts';
import { RuleSet } from '../../domain/rule-set.ts';
import { ERROR_DOMAIN, toRpcError } from '../../errors.ts';
import { MemoryStore } from '../../storage/memory-store.ts';
import { streamCheckLimits } from './stream-check-limits.ts';
import { STORES, someone, startTestLimiter, type TestLimiter } from './testing-limiter.ts';
import { OpenStream, StuckCaller } from './testing-streams.ts';

/** Of gRPC, which Connect has no name for. */
const OK = 0;

describe.each(STORES)('StreamCheckLimits, counting in $store', ({ source, env }) => {
  let limiter: TestLimiter;
  beforeAll(async () => {
    limiter = await startTestLimiter(env());
  });
  afterAll(async () => {
    await limiter[Symbol.asyncDispose]();
  });
  const open = () => new OpenStream(limiter.service.grpcAddress);

  it('answers each check under its id, for as long as the caller likes', async () => {
    await using stream = open();
    const check = { endpoint: 'auth_login', identifier: someone() };
    for (let used = 1; used <= 6; used += 1) {
      stream.send([{ id: used * 7, check }]);
      const items = await stream.answered(used);
      expect(items.at(-1)).toMatchObject({
        id: used * 7,
        outcome: {
          case: 'decision',
          value: { allowed: used <= 5, remaining: Math.max(0, 5 - used), source },
        },
      });
    }
  });

  it('answers checks that came together in one message together', async () => {
    await using stream = open();
    const identifier = someone();
    const items = Array.from({ length: 500 }, (_, id) => ({ id, check: { endpoint: 'orders', identifier } }));
    stream.send(items);
    const answers = await stream.answered(500);
    // Redis answers them by several scripts, perhaps not all within one turn of the event loop.
    expect(stream.messages.length).toBeLessThanOrEqual(source === DecisionSource.MEMORY ? 1 : 20);
    expect(new Set(answers.map(({ id }) => id)).size).toBe(500);
    const allowed = answers.filter(({ outcome }) => outcome.case === 'decision' && outcome.value.allowed);
    expect(allowed).toHaveLength(100);
  });

  it.each([
    ['out of bounds', { endpoint: 'a b', identifier: '' }, ['endpoint', 'identifier']],
    ['of a cost that could never pass', { endpoint: 'auth_login', identifier: 'x', cost: 6 }, ['cost']],
  ])(
    'answers a check %s with the error that CheckLimit has, and the others go on',
    async (_, check, fields) => {
      const expected = await failure(limiter.client().checkLimit(check));
      expect(fieldsOf(expected)).toEqual(fields);
      await using stream = open();
      const good = { endpoint: 'auth_login', identifier: someone() };
      stream.send([
        { id: 1, check: good },
        { id: 2, check },
        { id: 3, check: good },
      ]);
      const items = [...(await stream.answered(3))].sort((a, b) => a.id - b.id);
      expect(items.map(({ outcome }) => outcome.case)).toEqual(['decision', 'error', 'decision']);
      const { outcome } = items[1] as StreamCheckLimitsResponse_Item;
      if (outcome.case !== 'error') throw new Error('no error');
      expect(outcome.value.code).toBe(Code.InvalidArgument);
      expect(outcome.value.message).toBe(expected.rawMessage);
      expect(
        outcome.value.details.map(({ typeUrl, value }) => [
          typeUrl.replace('type.googleapis.com/', ''),
          value,
        ]),
      ).toEqual(expected.details.map((detail) => ('type' in detail ? [detail.type, detail.value] : detail)));
      stream.send([{ id: 4, check: good }]);
      await stream.answered(4);
    },
  );

  it('answers an item without a check with an error', async () => {
    await using stream = open();
    stream.send([{ id: 9 }]);
    const [item] = await stream.answered(1);
    if (item?.outcome.case !== 'error') throw new Error('no error');
    expect(item.id).toBe(9);
    const details = item.outcome.value.details.map(({ typeUrl, value }) => ({
      type: typeUrl.replace('type.googleapis.com/', ''),
      value,
    }));
    const error = new ConnectError('', item.outcome.value.code);
    error.details.push(...details);
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field).toBe('check');
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe('INVALID_REQUEST');
  });

  it.each([
    [
      'more than a thousand items',
      create(StreamCheckLimitsRequestSchema, { items: Array(1001).fill({ id: 1 }) }),
    ],
    ['no item', create(StreamCheckLimitsRequestSchema)],
    ['what is no message', Buffer.from([0xff, 0xff])],
  ])('ends with INVALID_ARGUMENT over %s, after the answers before it', async (_, message) => {
    await using stream = open();
    stream.send([{ id: 1, check: { endpoint: 'auth_login', identifier: someone() } }]);
    stream.call.write(message);
    expect((await stream.status).code).toBe(Code.InvalidArgument);
    expect(stream.items.map(({ id }) => id)).toEqual([1]);
  });

  it('gives all answers where the caller has no more to ask, then ends well', async () => {
    await using stream = open();
    const identifier = someone();
    const check = { endpoint: 'orders', identifier };
    for (let id = 0; id < 300; id += 1) stream.send([{ id, check }]);
    stream.call.end();
    expect((await stream.status).code).toBe(0);
    expect(stream.items).toHaveLength(300);
  });

  it('serves Connect over HTTP/2 alike', async () => {
    const transport = createConnectTransport({ baseUrl: limiter.service.httpUrl, httpVersion: '2' });
    const check = { endpoint: 'auth_login', identifier: someone() };
    const requests = async function* () {
      for (let id = 0; id < 6; id += 1) yield { items: [{ id, check }] };
    };
    const answers: StreamCheckLimitsResponse_Item[] = [];
    for await (const { items } of createClient(RateLimitService, transport).streamCheckLimits(requests())) {
      answers.push(...items);
    }
    const allowed = answers.map(({ outcome }) => outcome.case === 'decision' && outcome.value.allowed);
    expect(allowed).toEqual([true, true, true, true, true, false]);
  });

  it('counts streams and calls together, and leaves nothing unused', async () => {
    await using one = open();
    await using two = open();
    const check = { endpoint: 'orders', identifier: someone() };
    for (let id = 0; id < 80; id += 1) for (const stream of [one, two]) stream.send([{ id, check }]);
    const calls = Array.from({ length: 80 }, async () => await limiter.client().checkLimit(check));
    const answers = [...(await one.answered(80)), ...(await two.answered(80))];
    const decisions = answers.map(({ outcome }) => (outcome.case === 'decision' ? outcome.value : undefined));
    const allowed = [...decisions, ...(await Promise.all(calls))].filter((decision) => decision?.allowed);
    expect(allowed).toHaveLength(100);
  });

  it('reads no further from a caller that does not read its answers, and serves others', async () => {
    const window = { seconds: 3600n };
    const limit = 1_000_000_000;
    const endpoint = await limiter.rule([{ algorithm: Algorithm.FIXED_WINDOW, limit, window }]);
    const check = { endpoint, identifier: someone() };
    const decided = async () => {
      const { decision } = await limiter.client().peekLimit({ check });
      return limit - (decision?.remaining ?? 0);
    };
    using stuck = new StuckCaller(limiter.service.grpcAddress);
    stuck.keepSending(Array.from({ length: 1000 }, (_, id) => ({ id, check })));

    let before = -1;
    for (let now = await decided(); now !== before; now = await decided()) {
      before = now;
      await sleep(300);
    }
    // 10,000 that wait for the caller, the message that was read last, and 16 messages in grpc-js's buffer.
    expect(before).toBeGreaterThan(10_000);
    expect(before).toBeLessThanOrEqual(27_000);

    stuck.read();
    await expect.poll(decided, { timeout: 5000, interval: 50 }).toBeGreaterThan(before + 10_000);
  });
});

describe('a check that meets a bug', () => {
  it('is answered with INTERNAL and an id that the log has, and the others go on', async () => {
    const { logger, entries } = collectingLogger();
    const local = new DirectStore(new MemoryStore());
    const rules = new RuleSet(DEFAULT_RULES);
    const limiter = new Limiter({
      rules: () => rules,
      enabled: true,
      store: {
        decide(ask) {
          if (ask.terms[0]?.identifier === 'user:bug') throw new Error('secret detail');
          return local.decide(ask);
        },
        refund: (id, parts) => local.refund(id, parts),
        renew: (id, parts) => local.renew(id, parts),
        reset: (keys) => local.reset(keys),
      },
    });
    const pipeline = new Pipeline({
      domain: ERROR_DOMAIN,
      logger,
      accessLog: 'off',
      access: undefined,
      rules: [],
      mapError: toRpcError,
    });
    const { method } = RateLimitService;
    const service = { ...RateLimitService, methods: [method.streamCheckLimits] } as typeof RateLimitService;
    const handlers = { streamCheckLimits: streamCheckLimits({ limiter }) } as never;
    const table = { service, handlers, encoders: {} };
    const transport = createRouterTransport((router) => {
      router.rpc(method.streamCheckLimits, pipeline.wrap(table).handlers['streamCheckLimits'] as never);
    });
    const requests = async function* () {
      const items = ['user:1', 'user:bug', 'user:2'].map((identifier, id) => ({
        id,
        check: { endpoint: 'orders', identifier },
      }));
      yield { items };
    };
    const answers: StreamCheckLimitsResponse_Item[] = [];
    for await (const { items } of createClient(RateLimitService, transport).streamCheckLimits(requests())) {
      answers.push(...items);
    }
    expect(answers.map(({ outcome }) => outcome.case)).toEqual(['decision', 'error', 'decision']);
    const error = answers[1]?.outcome.value as Status;
    expect(error.code).toBe(Code.Internal);
    expect(error.message).not.toContain('secret');
    const [logged] = entries;
    expect(entries).toHaveLength(1);
    expect(logged).toMatchObject({ msg: 'unexpected error', err: { message: 'secret detail' } });
    expect(error.message).toContain(logged?.['request_id']);
  });
});

describe('a stream at the end of its server', () => {
  it('ends well, and what it did not answer was not counted', async () => {
    const env = { REDIS_URL: testRedisUrl(), REDIS_TIMEOUT_MS: '10000' };
    const ending = await startTestLimiter(env);
    await using other = await startTestLimiter(env);
    await using stream = new OpenStream(ending.service.grpcAddress);
    const check = { endpoint: 'orders', identifier: someone() };
    let asked = 0;
    const asking = setInterval(() => {
      for (const _ of [1, 2, 3]) stream.send([{ id: asked++, check }]);
    }, 1);
    onTestFinished(() => clearInterval(asking));
    await expect.poll(() => stream.items.length, { timeout: 5000, interval: 1 }).toBeGreaterThan(20);
    const started = performance.now();
    await ending[Symbol.asyncDispose]();
    expect((await stream.status).code).toBe(OK);
    expect(performance.now() - started).toBeLessThan(2000);
    const { decision } = await other.client().peekLimit({ check });
    expect((decision?.limit ?? 0) - (decision?.remaining ?? 0)).toBe(
      stream.items.filter(({ outcome }) => outcome.case === 'decision' && outcome.value.allowed).length,
    );
  });
});
