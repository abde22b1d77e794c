import { describe, expect, it } from 'vitest';
import { defineRule } from '../rule.ts';
import { RuleSet } from '../rule-set.ts';
import { check, MINUTE, rulesOf, SECOND } from '../testing-decisions.ts';
import { descriptorOf } from './testing-descriptors.ts';
import { asking, EnvoyWorld } from './testing-should-limit.ts';

const UNLIMITED = 4_294_967_295;

describe('a rule of ours', () => {
  const using = (rule: string, identifier?: string) =>
    new EnvoyWorld([descriptorOf('user', { rateLimit: { rule, identifier, name: 'unused' } })]);

  it('counts by its own algorithm, under the same key as CheckLimit', async () => {
    const world = using('auth_login', 'user:{user}');
    for (let used = 1; used <= 5; used += 1) {
      expect((await world.ask(asking('user=1'))).statuses).toMatchObject([
        {
          over: false,
          remaining: 5 - used,
          currentLimit: { requestsPerUnit: 5, unit: 'MINUTE', name: 'auth_login' },
          untilResetMicros: MINUTE,
        },
      ]);
    }
    expect((await world.ask(asking('user=1'))).over).toBe(true);
    expect(world.limiter().check(check({ identifier: 'user:1' }))).toMatchObject({ allowed: false });
    expect(world.limiter().check(check({ identifier: 'user:2' }))).toMatchObject({ allowed: true });
  });

  it('tells the limit that decides, and no unit where its window is none', async () => {
    const world = using('odd');
    world.rules = rulesOf({ odd: { limits: [{ limit: 2, windowMicros: 90 * SECOND }] } });
    expect((await world.ask(asking('user=1'))).statuses).toMatchObject([
      { currentLimit: { requestsPerUnit: 2, unit: undefined, name: 'odd' } },
    ]);
  });

  it('is over where the hits are more than it ever has', async () => {
    const world = using('tight');
    expect(await world.ask(asking('user=1', { hits: 4 }))).toMatchObject({
      over: true,
      statuses: [{ over: true, currentLimit: { requestsPerUnit: 3 }, remaining: 0 }],
    });
  });

  it.each(['free', 'off'])('that counts nothing (%s) has no end', async (rule) => {
    const { statuses } = await using(rule).ask(asking('user=1'));
    expect(statuses).toMatchObject([{ over: false, currentLimit: undefined, remaining: UNLIMITED }]);
  });

  it('in shadow mode stops nothing', async () => {
    const world = using('shadow');
    const limits = [{ limit: 1, windowMicros: MINUTE }];
    world.rules = new RuleSet([
      ...rulesOf({}),
      defineRule({ name: 'shadow', mode: 'SHADOW', limits, onStoreFailure: 'FAIL_OPEN' }),
    ]);
    for (let times = 0; times < 3; times += 1) expect((await world.ask(asking('user=1'))).over).toBe(false);
  });

  it('is taken together with the other limits, or not at all', async () => {
    const world = new EnvoyWorld([
      descriptorOf('user', { rateLimit: { rule: 'auth_login' } }),
      descriptorOf('ip', { rateLimit: { unit: 'MINUTE', requestsPerUnit: 1 } }),
    ]);
    await world.ask(asking('ip=1'));
    expect((await world.ask(asking('user=1'), asking('ip=1'))).over).toBe(true);
    expect(await world.left('user=1')).toEqual([5]);
  });
});
