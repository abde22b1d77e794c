import { describe, expect, it } from 'vitest';
import { MINUTE, SECOND, T } from '../testing-decisions.ts';
import type { DescriptorPlan } from './should-limit-plan.ts';
import type { DescriptorStatus } from './should-limit-status.ts';
import { descriptorOf } from './testing-descriptors.ts';
import { asking, EnvoyWorld } from './testing-should-limit.ts';

const rate = (requestsPerUnit: number, unit = 'MINUTE', more: object = {}) => ({
  rateLimit: { unit, requestsPerUnit, ...more },
});
const UNLIMITED = 4_294_967_295;
/** From T to the end of its minute. */
const TO_MINUTE_END = MINUTE - (T % MINUTE);

describe('a descriptor', () => {
  it('has so many hits a unit, and tells what is left and when the unit ends', async () => {
    const world = new EnvoyWorld([descriptorOf('ip', rate(2, 'MINUTE', { name: 'by_ip' }))]);
    const currentLimit = { requestsPerUnit: 2, unit: 'MINUTE', name: 'by_ip' };
    const untilResetMicros = TO_MINUTE_END;
    const answers = [];
    for (let times = 0; times < 3; times += 1) answers.push(await world.ask(asking('ip=1')));
    expect(answers).toMatchObject([
      { over: false, statuses: [{ over: false, remaining: 1, currentLimit, untilResetMicros }] },
      { over: false, statuses: [{ over: false, remaining: 0, currentLimit, untilResetMicros }] },
      { over: true, statuses: [{ over: true, remaining: 0, currentLimit, untilResetMicros }] },
    ]);
    world.now += TO_MINUTE_END;
    expect(await world.ask(asking('ip=1'))).toMatchObject({ over: false, statuses: [{ remaining: 1 }] });
  });

  it.each([
    ['SECOND', 1],
    ['MINUTE', 60],
    ['HOUR', 3_600],
    ['DAY', 86_400],
    ['WEEK', 7 * 86_400],
    ['MONTH', 30 * 86_400],
    ['YEAR', 365 * 86_400],
  ])('is counted anew at each multiple of a %s', async (unit, seconds) => {
    const world = new EnvoyWorld([descriptorOf('ip', rate(1, unit))]);
    const left = seconds * SECOND - (T % (seconds * SECOND));
    const look = { over: false, remaining: 1, untilResetMicros: left };
    expect((await world.ask(asking('ip=1', { hits: 0 }))).statuses).toMatchObject([look]);
    await world.ask(asking('ip=1'));
    world.now += left - 1;
    expect(await world.ask(asking('ip=1'))).toMatchObject({
      over: true,
      statuses: [{ untilResetMicros: 1 }],
    });
    world.now += 1;
    expect((await world.ask(asking('ip=1'))).over).toBe(false);
  });

  it('without a limit, or of another domain, is not limited', async () => {
    const world = new EnvoyWorld([descriptorOf('ip', { value: '1' })]);
    const none = { over: false, currentLimit: undefined, remaining: 0, untilResetMicros: undefined };
    expect(await world.ask(asking('ip=1'), asking('path=/'))).toMatchObject({
      over: false,
      statuses: [none, none],
    });
  });

  it('without an end has the most that the API can tell left', async () => {
    const world = new EnvoyWorld([descriptorOf('ip', { rateLimit: { unlimited: true } })]);
    const { statuses } = await world.ask(asking('ip=1', { hits: UNLIMITED }));
    expect(statuses).toMatchObject([{ over: false, currentLimit: undefined, remaining: UNLIMITED }]);
    expect(world.store.asks).toEqual([]);
  });

  it('of 0 hits a unit lets nothing pass, not even a look', async () => {
    const world = new EnvoyWorld([descriptorOf('ip', rate(0))]);
    for (const hits of [0, 1]) {
      expect(await world.ask(asking('ip=1', { hits }))).toMatchObject({
        over: true,
        statuses: [{ over: true, currentLimit: { requestsPerUnit: 0 }, remaining: 0 }],
      });
    }
    expect((await world.ask(asking('ip=1', { givesBack: true }))).over).toBe(false);
  });

  it('with no hits only looks, and is over where nothing is left', async () => {
    const world = new EnvoyWorld([descriptorOf('ip', rate(1))]);
    for (let times = 0; times < 3; times += 1) {
      expect((await world.ask(asking('ip=1', { hits: 0 }))).over).toBe(false);
    }
    await world.ask(asking('ip=1'));
    expect(await world.ask(asking('ip=1', { hits: 0 }))).toMatchObject({
      over: true,
      statuses: [{ over: true, remaining: 0 }],
    });
  });

  it('with more hits than are left takes those, as they are used already', async () => {
    const world = new EnvoyWorld([descriptorOf('ip', rate(10))]);
    await world.ask(asking('ip=1', { hits: 7 }));
    expect(await world.ask(asking('ip=1', { hits: 5 }))).toMatchObject({
      over: true,
      statuses: [{ over: true, remaining: 0 }],
    });
    expect(await world.left('ip=1')).toEqual([0]);
  });

  it('with more hits than it ever has takes all that is left', async () => {
    const world = new EnvoyWorld([descriptorOf('ip', rate(10))]);
    expect(await world.ask(asking('ip=1', { hits: 11 }))).toMatchObject({
      over: true,
      statuses: [{ over: true, remaining: 0, untilResetMicros: TO_MINUTE_END }],
    });
  });

  it('counts under the same key with a limit that the caller brings, and by its unit apart', async () => {
    const world = new EnvoyWorld([descriptorOf('ip', rate(5))]);
    await world.ask(asking('ip=1'));
    const bring = (requestsPerUnit: number, unit: 'MINUTE' | 'HOUR') =>
      asking('ip=1', { override: { requestsPerUnit, unit } });
    expect((await world.ask(bring(2, 'MINUTE'))).statuses).toMatchObject([
      { over: false, remaining: 0, currentLimit: { requestsPerUnit: 2, unit: 'MINUTE', name: '' } },
    ]);
    expect((await world.ask(bring(2, 'MINUTE'))).over).toBe(true);
    expect((await world.ask(bring(2, 'HOUR'))).statuses).toMatchObject([{ remaining: 1 }]);
    expect(await world.left('ip=1')).toEqual([3]);
  });

  it('takes a limit that the caller brings where it has none, but not in a domain that nobody knows', async () => {
    const world = new EnvoyWorld([descriptorOf('path', rate(5))]);
    const override = { requestsPerUnit: 1, unit: 'DAY' } as const;
    const { statuses } = await world.ask(asking('ip=1', { override }));
    expect(statuses).toMatchObject([{ remaining: 0, currentLimit: { unit: 'DAY' } }]);
  });
});

describe('several descriptors', () => {
  const both = [descriptorOf('ip', rate(3)), descriptorOf('path', rate(1))];

  it('take all or none: single hits of a request that does not go on count nowhere', async () => {
    const world = new EnvoyWorld(both);
    await world.ask(asking('path=/'));
    expect(await world.ask(asking('ip=1'), asking('path=/'))).toMatchObject({
      over: true,
      statuses: [
        { over: false, remaining: 3 },
        { over: true, remaining: 0 },
      ],
    });
    expect(await world.left('ip=1')).toEqual([3]);
  });

  it('count several hits though the request does not go on', async () => {
    const world = new EnvoyWorld(both);
    await world.ask(asking('path=/'));
    const answer = await world.ask(asking('ip=1', { hits: 2 }), asking('path=/'));
    expect(answer).toMatchObject({ over: true, statuses: [{ over: false, remaining: 1 }, { over: true }] });
    expect(await world.left('ip=1')).toEqual([1]);
  });

  it('only look where one of them never has room', async () => {
    const world = new EnvoyWorld([...both, descriptorOf('closed', rate(0))]);
    for (const other of [asking('path=/', { hits: 2 }), asking('closed=1')]) {
      expect(await world.ask(asking('ip=1'), other)).toMatchObject({
        over: true,
        statuses: [{ over: false, remaining: 3 }, { over: true }],
      });
    }
  });

  it('take nothing where one that only looks sees nothing left', async () => {
    const world = new EnvoyWorld(both);
    await world.ask(asking('path=/'));
    const answer = await world.ask(asking('ip=1'), asking('path=/', { hits: 0 }));
    expect(answer).toMatchObject({ over: true, statuses: [{ over: false, remaining: 3 }, { over: true }] });
  });

  it('of one key take the sum of their hits', async () => {
    const world = new EnvoyWorld(both);
    expect(await world.ask(asking('ip=1'), asking('ip=1'))).toMatchObject({
      over: false,
      statuses: [{ remaining: 1 }, { remaining: 1 }],
    });
    expect(await world.ask(asking('ip=1'), asking('ip=1'))).toMatchObject({ over: true });
    expect(await world.left('ip=1')).toEqual([1]);
    expect((await world.ask(asking('path=/'), asking('path=/'))).over).toBe(true);
    expect(await world.left('path=/')).toEqual([1]);
  });

  it.each([[['own', 'brought']], [['brought', 'own']]])(
    'of one key with several limits have to keep the strictest: %s',
    async (order) => {
      const world = new EnvoyWorld([descriptorOf('ip', rate(2))]);
      const both = {
        own: asking('ip=1'),
        brought: asking('ip=1', { override: { requestsPerUnit: 10, unit: 'MINUTE' } }),
      };
      const all = order.map((name) => both[name as keyof typeof both]);
      const told = async () => {
        const { over, statuses } = await world.ask(...all);
        const of = Object.fromEntries(statuses.map((each, at) => [order[at], [each.over, each.remaining]]));
        return { over, ...of };
      };
      expect(await told()).toEqual({ over: false, own: [false, 0], brought: [false, 8] });
      expect(await told()).toEqual({ over: true, own: [true, 0], brought: [false, 8] });
      expect(await world.left('ip=1')).toEqual([0]);
    },
  );

  it('are asked for in one turn', async () => {
    const shadow = descriptorOf('shadow', { ...rate(3), shadowMode: true });
    const world = new EnvoyWorld([...both, shadow]);
    const asked = world.ask(asking('ip=1'), asking('shadow=1'), asking('path=/'));
    expect(world.store.asks.map(({ terms }) => terms.length).sort()).toEqual([1, 2]);
    await asked;
  });

  it('leave out a limit that another replaces, also where that has no end', async () => {
    const replacing = { name: 'new', replaces: ['old'] };
    const world = new EnvoyWorld([
      descriptorOf('ip', rate(1, 'MINUTE', { name: 'old' })),
      descriptorOf('user', rate(2, 'MINUTE', replacing)),
      descriptorOf('staff', { rateLimit: { unlimited: true, replaces: ['old'] } }),
    ]);
    const none = { over: false, currentLimit: undefined };
    for (let times = 0; times < 2; times += 1) {
      expect(await world.ask(asking('ip=1'), asking('user=1'))).toMatchObject({
        over: false,
        statuses: [none, { over: false, remaining: 1 - times, currentLimit: { name: 'new' } }],
      });
    }
    expect((await world.ask(asking('ip=1'), asking('staff=1'))).statuses[0]).toMatchObject(none);
    expect(await world.left('ip=1')).toEqual([1]);
  });
});

it('is not replaced where it has no end', async () => {
  const world = new EnvoyWorld([
    descriptorOf('ip', { rateLimit: { unlimited: true, name: 'old' } }),
    descriptorOf('user', rate(2, 'MINUTE', { replaces: ['old'] })),
  ]);
  const { statuses } = await world.ask(asking('ip=1'), asking('user=1'));
  expect(statuses).toMatchObject([{ remaining: UNLIMITED }, { remaining: 1 }]);
});

describe('those who look on', () => {
  it('see each decision that takes, with its key and its rule', async () => {
    const seen: unknown[] = [];
    const observer = {
      decided: (check: { endpoint: string; identifier: string; cost: number }, decision: object) =>
        seen.push({ ...check, ...decision }),
    };
    const world = new EnvoyWorld(
      [descriptorOf('ip', rate(1)), descriptorOf('trial', { ...rate(1), shadowMode: true })],
      { limiterOptions: { observer } },
    );
    const all = [asking('ip=1'), asking('trial=1'), asking('ip=1', { hits: 0 }), asking('none=1')];
    await world.ask(...all);
    await world.ask(...all);
    const [ip, trial] = [
      { endpoint: 'envoy|edge', identifier: 'ip=1', cost: 1, rule: { name: 'edge.ip' } },
      { endpoint: 'envoy|edge', identifier: 'trial=1', cost: 1, rule: { name: 'edge.trial' } },
    ];
    expect(seen).toMatchObject([
      { ...ip, allowed: true, shadowDenied: false },
      { ...trial, allowed: true, shadowDenied: false },
      { ...ip, allowed: false },
      { ...trial, allowed: true, shadowDenied: true },
    ]);
  });

  it('count hits by descriptor, and not what only looks or gives back', async () => {
    const counted: unknown[] = [];
    const statistics = {
      counted: ({ match, descriptor: { hits } }: DescriptorPlan, { over }: DescriptorStatus) =>
        counted.push([match?.statKey, hits, over]),
    };
    const world = new EnvoyWorld([descriptorOf('ip', { ...rate(3), detailedMetric: true })], { statistics });
    for (const hits of [0, 2, 2]) await world.ask(asking('ip=1', { hits }));
    await world.ask(asking('ip=1', { givesBack: true }));
    expect(counted).toEqual([
      ['edge.ip_1', 2, false],
      ['edge.ip_1', 2, true],
    ]);
  });
});

it('limits nothing and asks nothing where limiting is off', async () => {
  const world = new EnvoyWorld([descriptorOf('ip', rate(0))], { limiterOptions: { enabled: false } });
  expect(await world.ask(asking('ip=1'))).toMatchObject({
    over: false,
    statuses: [{ over: false, currentLimit: undefined }],
  });
});
