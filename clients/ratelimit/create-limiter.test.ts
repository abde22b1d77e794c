import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DecisionSource } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { keyDigest } from '../../runtime/callers/caller-key.ts';
import { failure, fieldsOf, reasonOf } from '../../testing/failure.ts';
import { testRedisUrl } from '../../testing/redis.ts';
import { startTestRateLimit, type TestService } from '../../testing/services.ts';
import { createLimiter } from './create-limiter.ts';
import type { Limiter } from './limiter.ts';
import type { LimiterOptions } from './limiter-options.ts';

const RULES = `rules:
  - { name: orders, limits: [ { limit: 10, window: 1h } ] }
  - { name: twice, limits: [ { limit: 2, window: 1h } ] }
  - { name: jobs, limits: [ { limit: 1, window: 1h, algorithm: CONCURRENCY } ] }
  - { name: api_default, limits: [ { limit: 100, window: 1m } ] }
`;

const directory = mkdtempSync(join(tmpdir(), 'optix-limiter-'));
let service: TestService;
beforeAll(async () => {
  const rules = join(directory, 'rules.yaml');
  writeFileSync(rules, RULES);
  service = await startTestRateLimit({
    REDIS_URL: testRedisUrl(),
    // A slow moment of this machine must not look like a store that is away.
    REDIS_TIMEOUT_MS: '5000',
    RATELIMIT_RULES_FILE: rules,
    RATELIMIT_ACCESS_LOG: 'all',
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function limiter(options: Partial<LimiterOptions> = {}): Limiter {
  const made = createLimiter({
    address: service.grpcAddress,
    timeoutMs: 5_000,
    whenUnreachable: 'throw',
    ...options,
  });
  onTestFinished(() => made[Symbol.dispose]());
  return made;
}

let users = 0;
/** A user whom nobody else in this file asks about. */
const newUser = () => `user:${++users}`;

const streamsLogged = () =>
  service.log.filter(({ rpc }) => String(rpc).endsWith('/StreamCheckLimits')).length;

describe.each(['stream', 'unary'] as const)('a limiter with transport %s', (transport) => {
  it('answers with the decision of the service', async () => {
    const asked = limiter({ transport });
    const check = { endpoint: 'twice', identifier: newUser() };
    const answers = [await asked.check(check), await asked.check(check), await asked.check(check)];
    expect(answers.map(({ allowed, decision }) => [allowed, decision?.remaining])).toEqual([
      [true, 1],
      [true, 0],
      [false, 0],
    ]);
    expect(answers[2]).toMatchObject({
      answeredBy: 'service',
      decision: { rule: 'twice', source: DecisionSource.REDIS },
    });
    expect(asked.state).toBe('reachable');
  });

  it('throws what the service says of a check that is not good, also where the policy would allow it', async () => {
    const asked = limiter({ transport, whenUnreachable: 'allow' });
    const good = asked.check({ endpoint: 'orders', identifier: newUser() });
    const error = await failure(asked.check({ endpoint: 'no spaces', identifier: 'user:1' }));
    expect([error.code, reasonOf(error), fieldsOf(error)]).toEqual([
      Code.InvalidArgument,
      'INVALID_REQUEST',
      ['endpoint'],
    ]);
    expect(fieldsOf(await failure(asked.check({ endpoint: 'orders', identifier: 'a', cost: 11 })))).toEqual([
      'cost',
    ]);
    expect(
      fieldsOf(await failure(asked.check({ endpoint: 'orders', identifier: 'x'.repeat(100_000) }))),
    ).toEqual(['identifier']);
    expect((await good).answeredBy).toBe('service');
  });

  it('gives a check up with its signal, which is no outage', async () => {
    const asked = limiter({ transport, whenUnreachable: 'allow' });
    const reason = new Error('the user has left');
    const abort = new AbortController();
    const given = asked.check({ endpoint: 'orders', identifier: newUser() }, { signal: abort.signal });
    abort.abort(reason);
    expect(await failure(given)).toMatchObject({ code: Code.Canceled, cause: reason });
    const early = asked.check({ endpoint: 'orders', identifier: newUser() }, { signal: abort.signal });
    expect((await failure(early)).code).toBe(Code.Canceled);
    expect(asked.state).toBe('reachable');
  });

  it('gives back what was taken with a receipt', async () => {
    const asked = limiter({ transport });
    const check = { endpoint: 'twice', identifier: newUser(), cost: 2, refundable: true };
    const { decision } = await asked.check(check);
    expect((await asked.check(check)).allowed).toBe(false);
    expect(await asked.refund(decision?.receipt ?? '')).toMatchObject({ refunded: true });
    expect((await asked.peek(check)).decision).toMatchObject({ allowed: true, remaining: 2 });
    expect((await asked.check(check)).allowed).toBe(true);
    expect((await failure(asked.refund('no receipt'))).code).toBe(Code.InvalidArgument);
  });

  it('lets a lease go on, until it was given back', async () => {
    const asked = limiter({ transport });
    const { decision } = await asked.check({ endpoint: 'jobs', identifier: newUser() });
    const receipt = decision?.receipt ?? '';
    const { expireTime } = await asked.renew(receipt);
    expect(Number(expireTime?.seconds)).toBeGreaterThan(Date.now() / 1000 + 3_000);
    await asked.refund(receipt);
    expect((await failure(asked.renew(receipt))).code).toBe(Code.NotFound);
  });

  it('decides several: each by itself, or all or nothing', async () => {
    const asked = limiter({ transport });
    const [full, free] = [
      { endpoint: 'twice', identifier: newUser(), cost: 2 },
      { endpoint: 'twice', identifier: newUser() },
    ];
    await asked.check(full);
    const each = await asked.checkAll([full, free]);
    expect([each.answers.map(({ allowed }) => allowed), each.allAllowed]).toEqual([[false, true], false]);
    const none = await asked.checkAll([full, free], { allOrNothing: true });
    expect([none.answers.map(({ allowed }) => allowed), none.allAllowed]).toEqual([[false, false], false]);
    const all = await asked.checkAll([{ ...free, refundable: true }], { allOrNothing: true });
    expect(all).toMatchObject({ allAllowed: true, answers: [{ allowed: true, answeredBy: 'service' }] });
    expect(await asked.refund(all.receipt)).toMatchObject({ refunded: true });
    const bad = await failure(asked.checkAll([free, { endpoint: '' }]));
    expect(fieldsOf(bad)).toContain('checks[1].endpoint');
  });

  it('throws for everything once it is disposed of, whatever the policy', async () => {
    const asked = limiter({ transport, whenUnreachable: 'allow' });
    await asked.check({ endpoint: 'orders', identifier: newUser() });
    const underWay = asked.check({ endpoint: 'orders', identifier: newUser() });
    asked[Symbol.dispose]();
    asked[Symbol.dispose]();
    expect((await underWay).answeredBy).toBe('service');
    for (const late of [
      asked.check({}),
      asked.checkAll([]),
      asked.peek({}),
      asked.refund(''),
      asked.renew(''),
    ]) {
      expect((await failure(late)).code).toBe(Code.Unavailable);
    }
  });
});

describe('checks on the stream', () => {
  it('share it, and are each counted once', async () => {
    const asked = limiter({ timeoutMs: 20_000 });
    const before = streamsLogged();
    const people = Array.from({ length: 250 }, newUser);
    const answers = await Promise.all(
      people.flatMap((identifier) =>
        Array.from({ length: 12 }, () => asked.check({ endpoint: 'orders', identifier })),
      ),
    );
    expect(answers.filter(({ allowed }) => allowed).length).toBe(2_500);
    asked[Symbol.dispose]();
    await expect.poll(streamsLogged).toBe(before + 1);
  });

  it('may be as large as they like, and many at once', async () => {
    const asked = limiter({ timeoutMs: 20_000 });
    const check = () => ({
      ...{ endpoint: 'orders', identifier: newUser().padEnd(250, 'x') },
      also: Array.from({ length: 15 }, () => ({
        identifier: newUser().padEnd(250, 'ä'.repeat(120)).slice(0, 130),
      })),
    });
    // Together 1.5 MB: more than the service takes in a message.
    const answers = await Promise.all(Array.from({ length: 400 }, () => asked.check(check())));
    expect(answers.filter(({ allowed }) => allowed).length).toBe(400);
  });

  it('find it closed after a while, and open another', async () => {
    const asked = limiter({ maxStreamMs: 50 });
    const before = streamsLogged();
    await asked.check({ endpoint: 'orders', identifier: newUser() });
    await expect.poll(streamsLogged).toBe(before + 1);
    expect((await asked.check({ endpoint: 'orders', identifier: newUser() })).answeredBy).toBe('service');
    await expect.poll(streamsLogged).toBe(before + 2);
    expect(asked.state).toBe('reachable');
  });
});

describe('a limiter that remembers denials', () => {
  const remembering = () => limiter({ denialCacheKeys: 100, denialCacheMaxMs: 60_000 });

  it('answers the same again without asking, and no other check', async () => {
    const asked = remembering();
    const check = { endpoint: 'twice', identifier: newUser(), cost: 2 };
    const answers = [await asked.check(check), await asked.check(check), await asked.check(check)];
    expect(answers.map(({ allowed, answeredBy }) => [allowed, answeredBy])).toEqual([
      [true, 'service'],
      [false, 'service'],
      [false, 'denial_cache'],
    ]);
    expect(answers[2]?.decision).toMatchObject({ limit: 2, source: DecisionSource.CACHE });
    expect((await asked.check({ ...check, roles: ['admin'] })).allowed).toBe(true);
    expect((await asked.check({ ...check, identifier: newUser() })).allowed).toBe(true);
  });

  it('asks again once it has given units back', async () => {
    const asked = remembering();
    const check = { endpoint: 'twice', identifier: newUser(), cost: 2, refundable: true };
    const { decision } = await asked.check(check);
    await asked.check(check);
    expect((await asked.check(check)).answeredBy).toBe('denial_cache');
    await asked.refund(decision?.receipt ?? '');
    expect(await asked.check(check)).toMatchObject({ allowed: true, answeredBy: 'service' });
  });
});

describe('a caller whose key was withdrawn', () => {
  it('is told so, without asking again and again', async () => {
    const callers = join(directory, 'callers.yaml');
    const write = (key: string) => {
      const gateway = { name: 'gateway', scopes: ['limits.check'], api_keys: [keyDigest(key)] };
      writeFileSync(callers, JSON.stringify({ callers: [gateway] }));
    };
    write('good');
    await using guarded = await startTestRateLimit({ CALLERS_FILE: callers, RATELIMIT_ACCESS_LOG: 'all' });
    const changes: string[] = [];
    const asked = limiter({
      ...{ address: guarded.grpcAddress, apiKey: 'good', whenUnreachable: 'allow' },
      onStateChange: (state) => changes.push(state),
    });
    const check = { endpoint: 'orders', identifier: 'user:1' };
    expect((await asked.check(check)).answeredBy).toBe('service');
    write('another');
    await expect
      .poll(async () => (await asked.check(check).catch(({ code }) => ({ answeredBy: code }))).answeredBy, {
        timeout: 10_000,
      })
      .toBe(Code.Unauthenticated);
    const before = guarded.log.length;
    for (let turn = 0; turn < 50; turn += 1) {
      expect((await failure(asked.check(check))).code).toBe(Code.Unauthenticated);
      await sleep(10);
    }
    expect(guarded.log.length - before).toBeLessThan(15);
    write('good');
    await expect
      .poll(async () => (await asked.check(check).catch(() => undefined))?.answeredBy, { timeout: 10_000 })
      .toBe('service');
    expect(changes).toEqual([]);
  });
});

it.each<[string, Partial<LimiterOptions>]>([
  ['timeoutMs', { timeoutMs: 0 }],
  ['timeoutMs', { timeoutMs: 2 ** 31 }],
  ['maxStreamMs', { maxStreamMs: 0.5 }],
  ['denialCacheKeys', { denialCacheKeys: -1 }],
  ['denialCacheMaxMs', { denialCacheMaxMs: Number.NaN }],
  ['whenUnreachable', { whenUnreachable: 'hope' as never }],
  ['transport', { transport: 'pigeon' as never }],
])('an option out of its range is refused by its name: %s', (name, options) => {
  expect(() => createLimiter({ address: 'localhost:1', ...options })).toThrow(name);
});

it('a time-out of a call that is none is refused', async () => {
  for (const timeoutMs of [0, -1, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY]) {
    const error = await failure(limiter().check({ endpoint: 'orders', identifier: 'a' }, { timeoutMs }));
    expect(error.code).toBe(Code.InvalidArgument);
  }
});
