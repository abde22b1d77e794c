import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { singleRedis } from '../../../runtime/redis-target.ts';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { collectingLogger } from '../../../testing/collecting-logger.ts';
import { DEFAULT_RULES } from '../domain/default-rules.ts';
import { StoreAway } from '../domain/errors.ts';
import type { RuleDefinition } from '../domain/rule.ts';
import { RuleBook } from '../domain/rule-book.ts';
import { RuleAlreadyExists, RuleEtagMismatch } from '../domain/rule-errors.ts';
import { LIVE_RULES_KEY, RedisLiveRules } from './redis-live-rules.ts';
import { RulesSnapshot } from './rules-snapshot.ts';
import { inspect, killRedis } from './testing-redis.ts';

const ruleOf = (name: string, limit: number): RuleDefinition => ({
  name,
  limits: [{ limit, windowMicros: 60_000_000 }],
  onStoreFailure: 'FAIL_OPEN',
});

let redis: RedisServer;
let resources: AsyncDisposableStack;
let directory: string;
let snapshotFile: string;
beforeEach(async () => {
  resources = new AsyncDisposableStack();
  redis = resources.use(await startRedis());
  directory = await mkdtemp(join(tmpdir(), 'live-rules-'));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  snapshotFile = join(directory, 'live-rules.json');
});
afterEach(async () => {
  await resources.disposeAsync();
});

interface Replica extends AsyncDisposable {
  readonly rules: RuleBook;
  /** The limit that holds for an endpoint. */
  limit(endpoint: string): number | undefined;
  readonly log: readonly string[];
}

/** One of the processes that share the rules. */
async function replica(
  options: { readonly url?: string; readonly snapshot?: string } = {},
): Promise<Replica> {
  const { logger, entries } = collectingLogger();
  const snapshot =
    options.snapshot === undefined ? undefined : resources.use(new RulesSnapshot(options.snapshot, logger));
  const live = new RedisLiveRules({ target: singleRedis(options.url ?? redis.url), logger, snapshot });
  resources.use(live);
  await live.start(2_000);
  const rules = new RuleBook({ base: DEFAULT_RULES, origin: 'BUILT_IN', live });
  return {
    rules,
    limit: (endpoint) => rules.current.ruleFor(endpoint).rule.limits[0]?.limit,
    get log() {
      return entries.map(({ msg }) => String(msg));
    },
    async [Symbol.asyncDispose]() {
      await live[Symbol.asyncDispose]();
      await snapshot?.[Symbol.asyncDispose]();
    },
  };
}

const soon = async (assertion: () => void) => await vi.waitFor(assertion, { timeout: 5_000, interval: 10 });
/** Long enough for every replica to have looked. */
const looked = async () => await sleep(1_200);

describe('a change of the live rules', () => {
  it('is in force on every replica within a second', async () => {
    const [one, two] = [await replica(), await replica()];
    const start = performance.now();
    await one.rules.create(ruleOf('orders', 7));
    expect(one.limit('orders')).toBe(7);
    await soon(() => expect(two.limit('orders')).toBe(7));
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('is so too where nobody hears of it', async () => {
    await using client = inspect(redis.url);
    const [one, two] = [await replica(), await replica()];
    await one.rules.create(ruleOf('orders', 7));
    await soon(() => expect(two.limit('orders')).toBe(7));
    // Such a rule is announced by nobody.
    await client.hset(LIVE_RULES_KEY, {
      revision: '4000000000000.0',
      document: '{"rules":[{"name":"orders","limits":[{"limit":8,"window":"1m"}]}]}',
    });
    const start = performance.now();
    await soon(() => expect([one.limit('orders'), two.limit('orders')]).toEqual([8, 8]));
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('outlives the replicas', async () => {
    const one = await replica();
    await one.rules.create(ruleOf('orders', 7));
    await one[Symbol.asyncDispose]();
    const two = await replica();
    expect(two.limit('orders')).toBe(7);
    expect(two.rules.get('orders').origin).toBe('LIVE');
  });

  it('is kept under one key without an expiry', async () => {
    await using client = inspect(redis.url);
    await (await replica()).rules.create(ruleOf('orders', 7));
    expect(await client.keys('*')).toEqual([LIVE_RULES_KEY]);
    expect(await client.pttl(LIVE_RULES_KEY)).toBe(-1);
  });

  it('leaves the other rules as they are, on every replica', async () => {
    const [one, two] = [await replica(), await replica()];
    await one.rules.create(ruleOf('orders', 7));
    await soon(() => expect(two.limit('orders')).toBe(7));
    const rulesOf = ({ rules }: Replica) => ['orders', 'auth_login'].map((name) => rules.current.get(name));
    const before = [one, two].map(rulesOf);
    await one.rules.create(ruleOf('reports', 1));
    await soon(() => expect(two.limit('reports')).toBe(1));
    for (const [index, each] of [one, two].entries()) {
      for (const [place, rule] of rulesOf(each).entries()) expect(rule).toBe(before[index]?.[place]);
    }
  });

  it('needs no right to the channel, which only makes it faster', async () => {
    await using client = inspect(redis.url);
    const rights = [
      '~ratelimit:{rules}',
      'resetchannels',
      '-@all',
      '+info',
      '+select',
      '+client|setname',
      '+eval',
    ];
    await client.call('ACL', 'SETUSER', 'rules', 'on', '>pw', ...rights, '+hget', '+hmget', '+hset');
    const url = `redis://rules:pw@127.0.0.1:${redis.port}`;
    const [one, two] = [await replica({ url }), await replica({ url })];
    const start = performance.now();
    await one.rules.create(ruleOf('orders', 7));
    await soon(() => expect(two.limit('orders')).toBe(7));
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});

describe('changes at the same time', () => {
  it('of one rule by its etag: exactly one comes true', async () => {
    const replicas = [await replica(), await replica()];
    const { rule } = await (replicas[0] as Replica).rules.create(ruleOf('orders', 1));
    const attempts = Array.from({ length: 20 }, (_, index) =>
      (replicas[index % 2] as Replica).rules.update(
        'orders',
        (before) => ({ ...before, limits: [{ limit: 100 + index, windowMicros: 60_000_000 }] }),
        rule.version,
      ),
    );
    const outcomes = await Promise.allSettled(attempts);
    const won = outcomes.filter(({ status }) => status === 'fulfilled');
    const lost = outcomes.filter((each) => each.status === 'rejected').map(({ reason }) => reason);
    expect(won).toHaveLength(1);
    expect(lost.every((error) => error instanceof RuleEtagMismatch)).toBe(true);
    const limit = 100 + outcomes.findIndex(({ status }) => status === 'fulfilled');
    await soon(() => expect(replicas.map((each) => each.limit('orders'))).toEqual([limit, limit]));
  });

  it('that create one rule: exactly one comes true', async () => {
    const replicas = [await replica(), await replica()];
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        (replicas[index % 2] as Replica).rules.create(ruleOf('orders', index + 1)),
      ),
    );
    const lost = outcomes.filter((each) => each.status === 'rejected').map(({ reason }) => reason);
    expect(lost).toHaveLength(19);
    expect(lost.every((error) => error instanceof RuleAlreadyExists)).toBe(true);
  });

  it('of different rules are all kept', async () => {
    const replicas = [await replica(), await replica(), await replica()];
    const names = Array.from({ length: 30 }, (_, index) => `rule${index}`);
    await Promise.all(
      names.map((name, index) => (replicas[index % 3] as Replica).rules.create(ruleOf(name, index + 1))),
    );
    const fresh = await replica();
    expect(names.map((name) => fresh.limit(name))).toEqual(names.map((_, index) => index + 1));
  });
});

describe('where Redis loses the rules', () => {
  it('a replica that knows them writes them back', async () => {
    await using client = inspect(redis.url);
    const [one, two] = [await replica(), await replica()];
    await one.rules.create(ruleOf('orders', 7));
    await soon(() => expect(two.limit('orders')).toBe(7));
    await client.flushall();
    await soon(() => expect([...one.log, ...two.log].join()).toContain('written back'));
    expect([one.limit('orders'), two.limit('orders')]).toEqual([7, 7]);
    expect((await replica()).limit('orders')).toBe(7);
  });

  it('a change right after that loses none', async () => {
    await using client = inspect(redis.url);
    const one = await replica();
    await one.rules.create(ruleOf('orders', 7));
    await client.flushall();
    await one.rules.create(ruleOf('reports', 3));
    const two = await replica();
    expect([two.limit('orders'), two.limit('reports')]).toEqual([7, 3]);
  });

  it('an older state, as after a failover, gives way to what a replica knows', async () => {
    await using client = inspect(redis.url);
    const one = await replica();
    await one.rules.create(ruleOf('orders', 7));
    const older = await client.hgetall(LIVE_RULES_KEY);
    await one.rules.create(ruleOf('reports', 3));
    await client.hset(LIVE_RULES_KEY, older);
    await soon(() => expect(one.log.join()).toContain('written back'));
    expect((await replica()).limit('reports')).toBe(3);
  });

  it('a rule that was deleted does not come back', async () => {
    await using client = inspect(redis.url);
    const [one, two] = [await replica(), await replica()];
    await one.rules.create(ruleOf('orders', 7));
    await soon(() => expect(two.limit('orders')).toBe(7));
    await one.rules.delete('orders');
    await soon(() => expect(two.limit('orders')).toBe(100));
    await client.flushall();
    await looked();
    const fresh = await replica();
    expect([one, two, fresh].map((each) => each.limit('orders'))).toEqual([100, 100, 100]);
    expect(await client.hget(LIVE_RULES_KEY, 'document')).toBe('{"rules":[]}');
  });

  it('and all replicas were started anew, their snapshot brings the rules back', async () => {
    await using client = inspect(redis.url);
    const one = await replica({ snapshot: snapshotFile });
    await one.rules.create(ruleOf('orders', 7));
    await one[Symbol.asyncDispose]();
    await client.flushall();
    const two = await replica({ snapshot: snapshotFile });
    expect(two.limit('orders')).toBe(7);
    expect((await replica()).limit('orders')).toBe(7);
  });

  it('a snapshot of the time before does not undo rules made since', async () => {
    await using client = inspect(redis.url);
    const one = await replica({ snapshot: snapshotFile });
    for (let limit = 1; limit < 5; limit += 1) await one.rules.create(ruleOf(`orders${limit}`, limit));
    await one[Symbol.asyncDispose]();
    await client.flushall();
    await (await replica()).rules.create(ruleOf('reports', 3));
    const two = await replica({ snapshot: snapshotFile });
    expect([two.limit('orders1'), two.limit('reports')]).toEqual([100, 3]);
  });
});

describe('while Redis is away', () => {
  it('the last known rules hold, a change is refused and changes nothing, and all is well afterwards', async () => {
    const one = await replica();
    await one.rules.create(ruleOf('orders', 7));
    redis.kill('SIGSTOP');
    const start = performance.now();
    await expect(one.rules.create(ruleOf('reports', 3))).rejects.toThrow(StoreAway);
    expect(performance.now() - start).toBeLessThan(4_000);
    expect([one.limit('orders'), one.limit('reports')]).toEqual([7, 100]);
    redis.kill('SIGCONT');
    await looked();
    expect(one.limit('reports')).toBe(100);
    await one.rules.create(ruleOf('reports', 4));
    expect(one.limit('reports')).toBe(4);
    expect(one.log).toContain('live rules are read from Redis again');
  });

  it('a start waits two seconds, says so, and goes on with the rules of the snapshot', async () => {
    const one = await replica({ snapshot: snapshotFile });
    await one.rules.create(ruleOf('orders', 7));
    await one[Symbol.asyncDispose]();
    await killRedis(redis);
    const start = performance.now();
    const two = await replica({ snapshot: snapshotFile });
    expect(performance.now() - start).toBeGreaterThan(1_900);
    expect(performance.now() - start).toBeLessThan(4_000);
    expect(two.limit('orders')).toBe(7);
    expect(two.log).toContain('live rules can not be read from Redis: the last known stay in force');
    expect((await replica()).limit('orders')).toBe(100);
  });
});

describe('rules in Redis that can not be used', () => {
  it.each([
    ['no JSON', 'x'],
    ['a bad rule', '{"rules":[{"name":"orders","limits":[{"limit":0,"window":"1m"}]}]}'],
    ['lists without end', `{"rules":[{"name":${'['.repeat(50_000)}${']'.repeat(50_000)}}]}`],
    [
      'a good rule beside a bad one',
      '{"rules":[{"name":"orders","limits":[{"limit":9,"window":"1m"}]},{"name":""}]}',
    ],
  ])(
    'are refused whole and logged once, the last good ones stay, and can be changed: %s',
    async (_, document) => {
      await using client = inspect(redis.url);
      const one = await replica();
      await one.rules.create(ruleOf('orders', 7));
      await client.hset(LIVE_RULES_KEY, { revision: '4000000000000.0', document });
      await looked();
      expect(one.limit('orders')).toBe(7);
      expect(one.log.filter((text) => text.includes('refused'))).toHaveLength(1);
      await one.rules.create(ruleOf('reports', 3));
      const two = await replica();
      expect([two.limit('orders'), two.limit('reports')]).toEqual([7, 3]);
    },
  );

  it('since somebody keeps another type there: a change is refused', async () => {
    await using client = inspect(redis.url);
    await client.set(LIVE_RULES_KEY, 'x');
    const one = await replica();
    await expect(one.rules.create(ruleOf('orders', 7))).rejects.toThrow(/WRONGTYPE/);
    expect(one.limit('orders')).toBe(100);
  });
});

describe('the bounds of the live rules', () => {
  it('are 1,000 rules', async () => {
    const one = await replica();
    const rules = Array.from({ length: 1_000 }, (_, index) => ruleOf(`rule${index}`, 1));
    await using client = inspect(redis.url);
    const document = JSON.stringify({
      rules: rules.map(({ name }) => ({ name, limits: [{ limit: 1, window: '1m' }] })),
    });
    await client.hset(LIVE_RULES_KEY, { revision: '1.0', document });
    await soon(() => expect(one.rules.list()).toHaveLength(1_000 + DEFAULT_RULES.length));
    await expect(one.rules.create(ruleOf('one-too-many', 1))).rejects.toThrow(/more than 1000 live rules/);
    expect(one.rules.list()).toHaveLength(1_000 + DEFAULT_RULES.length);
  });

  it('are 4 MiB', async () => {
    const one = await replica();
    const large = (name: string): RuleDefinition => ({
      ...ruleOf(name, 1),
      overrides: Array.from({ length: 10_000 }, (_, index) => ({
        identifier: `user:${'x'.repeat(180)}${index}`,
        mode: 'UNLIMITED',
      })),
    });
    await one.rules.create(large('one'));
    await expect(one.rules.create(large('two'))).rejects.toThrow(/more than 4194304 bytes/);
    expect((await replica()).rules.get('one').rule.overrides).toHaveLength(10_000);
  });
});
