import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MINUTE, rulesOf, SECOND } from '../domain/testing-decisions.ts';
import { Replay } from './replay.ts';
import { START, simulateLines } from './testing-logs.ts';

interface Request {
  readonly ip: string;
  /** Seconds after {@link START}. */
  readonly at: number;
}

function line({ ip, at, ...more }: Request & Readonly<Record<string, unknown>>) {
  return { time: START + at * SECOND, ip, path: '/orders', ...more };
}

function times(count: number, request: Request & Readonly<Record<string, unknown>>) {
  return Array.from({ length: count }, () => line(request));
}

describe('simulate', () => {
  it('counts as a naive replay of the sorted log does', async () => {
    const requests = fc.array(
      fc.record({ ip: fc.constantFrom('a', 'b', 'vip'), at: fc.nat(55), step: fc.nat(30) }),
      { maxLength: 80 },
    );
    const bounds = fc.record({
      log: fc.integer({ min: 1, max: 8 }),
      fixed: fc.integer({ min: 1, max: 12 }),
      shadow: fc.integer({ min: 1, max: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(requests, bounds, async (steps, { log, fixed, shadow }) => {
        let from = 0;
        // Each up to a minute before the newest.
        const asked = steps.map(({ ip, at, step }) => {
          from += step;
          return { ip, at: from + at };
        });
        const rules = rulesOf({
          orders: {
            limits: [
              { name: 'log', limit: log, windowMicros: MINUTE },
              { name: 'fixed', limit: fixed, windowMicros: 2 * MINUTE, algorithm: 'FIXED_WINDOW' },
              { name: 'shadow', limit: shadow, windowMicros: MINUTE, shadow: true },
            ],
            overrides: [{ identifier: 'ip:v*', limits: [{ limit: 2 * log, windowMicros: MINUTE }] }],
          },
        });
        const { total, endpoints } = await simulateLines(rules, asked.map(line));
        const naive = naiveReplay(asked, { log, fixed, shadow });
        expect(total).toMatchObject({ requests: asked.length, ...naive });
        expect(endpoints.map(({ endpoint }) => endpoint)).toEqual(asked.length === 0 ? [] : ['orders']);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps overrides, modes, bypass roles and the rule for all else', async () => {
    const minute = [{ limit: 2, windowMicros: MINUTE }];
    const rules = rulesOf({
      api_default: { limits: [{ limit: 1, windowMicros: MINUTE }] },
      orders: {
        limits: minute,
        overrides: [
          { identifier: 'ip:free', mode: 'UNLIMITED' },
          { identifier: 'ip:tried', mode: 'SHADOW', limits: minute },
        ],
      },
      off: { mode: 'DISABLED' },
    });
    const { total, endpoints, mostDenied, mostShadowDenied } = await simulateLines(rules, [
      ...times(5, { ip: 'usual', at: 0 }),
      ...times(5, { ip: 'free', at: 0 }),
      ...times(5, { ip: 'tried', at: 0 }),
      ...times(5, { ip: 'boss', at: 0, roles: ['admin'] }),
      ...times(5, { ip: 'usual', at: 0, path: '/off' }),
      ...times(5, { ip: 'usual', at: 0, path: '/else' }),
    ]);
    const counts = { refused: 0, shadowDenied: 0, bypassed: 0, unlimited: 0 };
    expect(endpoints).toMatchObject([
      { ...counts, endpoint: 'else', rule: 'api_default', requests: 5, allowed: 1, denied: 4 },
      { ...counts, endpoint: 'off', rule: 'off', requests: 5, allowed: 5, denied: 0, unlimited: 5 },
      {
        endpoint: 'orders',
        requests: 20,
        allowed: 17,
        denied: 3,
        shadowDenied: 3,
        bypassed: 5,
        unlimited: 5,
      },
    ]);
    expect(total).toMatchObject({ requests: 30, allowed: 23, denied: 7, shadowDenied: 3 });
    expect(mostDenied).toEqual([
      { endpoint: 'else', identifier: 'ip:usual', count: 4, error: 0 },
      { endpoint: 'orders', identifier: 'ip:usual', count: 3, error: 0 },
    ]);
    expect(mostShadowDenied).toEqual([{ endpoint: 'orders', identifier: 'ip:tried', count: 3, error: 0 }]);
    expect(endpoints[2]?.limits.map(({ override }) => override)).toEqual([null, 'ip:tried']);
  });

  it('takes what a request costs, and tells those that cost more than the limit ever has', async () => {
    const rules = rulesOf({ orders: { limits: [{ limit: 5, windowMicros: MINUTE }] } });
    const { total, endpoints } = await simulateLines(rules, [
      line({ ip: 'a', at: 0, cost: 3 }),
      line({ ip: 'a', at: 1, cost: 3 }),
      line({ ip: 'a', at: 2, cost: 6 }),
    ]);
    expect(total).toMatchObject({ requests: 3, allowed: 1, denied: 1, refused: 1 });
    expect(endpoints[0]?.limits).toMatchObject([{ denied: 1, callerPeak: { units: 6, identifier: 'ip:a' } }]);
  });

  it('ends leases when operations end, by their own duration or by that given for all', async () => {
    const rules = rulesOf({
      orders: { limits: [{ algorithm: 'CONCURRENCY', limit: 1, windowMicros: 10 * MINUTE }] },
    });
    const lines = [
      line({ ip: 'a', at: 0, duration: 2 }),
      line({ ip: 'a', at: 1 }),
      line({ ip: 'a', at: 2 }),
      line({ ip: 'a', at: 8 }),
    ];
    const known = await simulateLines(rules, lines, { durationMicros: 5 * SECOND });
    expect(known).toMatchObject({ total: { allowed: 3, denied: 1 }, log: { withoutDuration: 0 } });
    const unknown = await simulateLines(rules, lines);
    expect(unknown).toMatchObject({ total: { allowed: 2, denied: 2 }, log: { withoutDuration: 1 } });
  });

  it('tells what it left out, and of which lines', async () => {
    const { log, total } = await simulateLines(
      rulesOf({}),
      [
        'nonsense',
        line({ ip: 'a', at: 300 }),
        line({ ip: 'a', at: 290 }),
        line({ ip: 'a', at: 400 }),
        line({ ip: 'a', at: 0 }),
        '',
        { time: START, path: '/orders' },
        ...Array.from({ length: 9 }, () => '{}'),
        line({ ip: 'a', at: 500 }),
        line({ ip: 'a', at: 300 }),
      ],
      { endpointOf: (_, path) => (path === '/orders' ? 'orders' : undefined), reorderMicros: 20 * SECOND },
    );
    expect(log).toMatchObject({
      lines: 18,
      requests: 4,
      sorted: 1,
      unreadable: {
        count: 10,
        first: [{ line: 1, reason: 'is not a JSON object' }, { line: 8 }, {}, {}, {}],
      },
      late: { count: 2, firstLines: [5, 18] },
      withoutIdentifier: 1,
    });
    expect(total.requests).toBe(4);
  });

  it('has a report without a request', async () => {
    const report = await simulateLines(rulesOf({}), [], { suggestRatio: 0.1 });
    expect(report).toMatchObject({
      from: null,
      to: null,
      endpoints: [],
      exact: true,
      total: { requests: 0 },
    });
  });

  it('suggests a limit that, replayed, denies just as many', async () => {
    const lines = Array.from({ length: 400 }, (_, index) =>
      line({ ip: `${index % 3}`, at: (index * index) % 97 }),
    );
    const rules = (limit: number) => rulesOf({ orders: { limits: [{ limit, windowMicros: MINUTE }] } });
    // All of the log is within the window of sorting.
    const options = { reorderMicros: 100 * SECOND };
    const { endpoints } = await simulateLines(rules(3), lines, { ...options, suggestRatio: 0.05 });
    const { suggested, below } = endpoints[0]?.limits[0]?.suggestion ?? {};
    expect(suggested?.ratio).toBeLessThanOrEqual(0.05);
    expect(below?.ratio).toBeGreaterThan(0.05);
    const again = await simulateLines(rules(suggested?.limit ?? 0), lines, options);
    expect(again.total.denied).toBe(suggested?.denied);
    const less = await simulateLines(rules(below?.limit ?? 0), lines, options);
    expect(less.total.denied).toBe(below?.denied);
  });
});

describe('Replay', () => {
  it('tells that it had more keys than it holds', () => {
    using replay = new Replay(rulesOf({}), 10);
    for (let caller = 0; caller < 11; caller += 1) {
      expect(replay.overflowed).toBe(caller >= 10);
      replay.ask({
        ...{ timeMicros: START, endpoint: 'orders', identifier: `ip:${caller}`, cost: 1, roles: [] },
        durationMicros: undefined,
      });
    }
    expect(replay.overflowed).toBe(true);
  });
});

/** Looks at all that was allowed before, each time. */
function naiveReplay(asked: readonly Request[], bounds: { log: number; fixed: number; shadow: number }) {
  const allowed: { ip: string; at: number; shadowTaken: boolean }[] = [];
  let [denied, shadowDenied] = [0, 0];
  for (const { ip, at } of asked.toSorted((a, b) => a.at - b.at)) {
    const own = allowed.filter((each) => each.ip === ip);
    const lastMinute = own.filter((each) => each.at > at - 60);
    const sameTwoMinutes = own.filter((each) => twoMinutes(each.at) === twoMinutes(at));
    const isVip = ip === 'vip';
    const fits = isVip
      ? lastMinute.length < 2 * bounds.log
      : lastMinute.length < bounds.log && sameTwoMinutes.length < bounds.fixed;
    if (!fits) {
      denied += 1;
      continue;
    }
    const shadowTaken = isVip || lastMinute.filter((each) => each.shadowTaken).length < bounds.shadow;
    if (!shadowTaken) shadowDenied += 1;
    allowed.push({ ip, at, shadowTaken });
  }
  return { allowed: allowed.length, denied, shadowDenied };
}

function twoMinutes(at: number): number {
  return Math.floor((START / SECOND + at) / 120);
}
