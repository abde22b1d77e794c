import { describe, expect, it } from 'vitest';
import { Metrics } from '../../../runtime/metrics/metrics.ts';
import type { Check } from '../domain/check.ts';
import { uncounted } from '../domain/decision.ts';
import { DecisionFeed } from '../domain/decision-feed.ts';
import { DecisionTail } from '../domain/decision-tail.ts';
import { descriptorOf } from '../domain/envoy/testing-descriptors.ts';
import { asking, EnvoyWorld } from '../domain/envoy/testing-should-limit.ts';
import type { LimiterOptions } from '../domain/limiter.ts';
import { defineRule } from '../domain/rule.ts';
import { check, full, state, T } from '../domain/testing-decisions.ts';
import { answering, World } from '../domain/testing-limiter.ts';
import { TopKeys } from '../domain/top-keys.ts';
import { DecisionCounts, MAX_RULES } from './decision-counts.ts';
import { linesOf, scrape, seriesOf } from './testing-scrape.ts';

const DECISIONS = 'optix_ratelimit_decisions_total';
const SHADOWS = 'optix_ratelimit_shadow_denials_total';

/** A limiter whose decisions are counted. */
function counted(options: Partial<LimiterOptions> = {}, world = new World()) {
  const metrics = new Metrics();
  const observer = new DecisionCounts(metrics);
  const limiter = world.limiter({ observer, ...options });
  const decisions = async () =>
    Object.fromEntries(
      Object.entries(linesOf(await scrape(metrics), `${DECISIONS}{`)).map(([line, value]) => [
        [...line.matchAll(/"([^"]*)"/g)].map(([, label]) => label).join(' '),
        value,
      ]),
    );
  return { limiter, metrics, observer, decisions };
}

const of = (endpoint: string, change: Partial<Check> = {}) => check({ endpoint, ...change });

describe('decisions', () => {
  it('are counted by the rule that decided, the outcome and the source', async () => {
    const { limiter, decisions } = counted();
    for (let times = 0; times < 7; times += 1) await limiter.check(of('auth_login'));
    await limiter.check(of('auth_login', { roles: ['admin'] }));
    await limiter.check(of('free'));
    await limiter.check(of('off'));
    await limiter.check(of('made.up.by.a.caller'));
    expect(await decisions()).toEqual({
      'auth_login allowed memory': 5,
      'auth_login denied memory': 2,
      'auth_login bypassed none': 1,
      'free unlimited none': 1,
      'off disabled none': 1,
      'api_default allowed memory': 1,
    });
  });

  it.each([
    ['REDIS', 'redis'],
    ['FALLBACK_LOCAL', 'fallback_local'],
    ['FALLBACK_OPEN', 'fallback_open'],
    ['FALLBACK_CLOSED', 'fallback_closed'],
  ] as const)('from %s are told as %s', async (source, label) => {
    const store = answering({ source, states: [state()] }, { source, states: [full()] });
    const { limiter, decisions } = counted({ store });
    for (let times = 0; times < 2; times += 1) await limiter.check(of('auth_login'));
    expect(await decisions()).toEqual({
      [`auth_login allowed ${label}`]: 1,
      [`auth_login denied ${label}`]: 1,
    });
  });

  it('do not include a look', async () => {
    const { limiter, decisions } = counted();
    await limiter.peek(of('auth_login'));
    expect(await decisions()).toEqual({});
  });

  it('of a call that takes all or none are denied together, also what passes by itself', async () => {
    const { limiter, decisions } = counted();
    for (const endpoint of ['free', 'off']) {
      await limiter.checkTogether([of('auth_login', { cost: 3 }), of(endpoint)]);
      await limiter.checkTogether([of('auth_login', { cost: 3 }), of(endpoint)]);
    }
    await limiter.checkTogether([of('auth_login', { cost: 3 }), of('auth_login', { roles: ['admin'] })]);
    expect(await decisions()).toEqual({
      'auth_login allowed memory': 1,
      'auth_login denied memory': 4,
      'auth_login denied none': 1,
      'free unlimited none': 1,
      'free denied none': 1,
      'off denied none': 2,
    });
  });

  it('of Envoy count under `envoy`, or under the rule that a descriptor names', async () => {
    const metrics = new Metrics();
    const observer = new DecisionCounts(metrics);
    const rate = { unit: 'MINUTE', requestsPerUnit: 1 };
    const world = new EnvoyWorld(
      [
        descriptorOf('ip', { rateLimit: rate }),
        descriptorOf('trial', { rateLimit: rate, shadowMode: true }),
        descriptorOf('user', { rateLimit: { rule: 'auth_login' } }),
      ],
      { limiterOptions: { observer } },
    );
    for (const pair of ['ip=1', 'ip=1', 'trial=1', 'trial=1', 'user=1']) await world.ask(asking(pair));
    await world.ask(asking('ip=1', { hits: 0 }));
    const text = await scrape(metrics);
    expect(linesOf(text, DECISIONS)).toEqual({
      [`${DECISIONS}{rule="envoy",outcome="allowed",source="memory"}`]: 3,
      [`${DECISIONS}{rule="envoy",outcome="denied",source="memory"}`]: 1,
      [`${DECISIONS}{rule="auth_login",outcome="allowed",source="memory"}`]: 1,
    });
    expect(linesOf(text, SHADOWS)).toEqual({ [`${SHADOWS}{rule="envoy"}`]: 1 });
  });

  it('are counted beside the ranking and the tail', async () => {
    using keys = new TopKeys();
    const metrics = new Metrics();
    const observer = new DecisionFeed(keys, new DecisionTail(), new DecisionCounts(metrics));
    await new World().limiter({ observer }).check(of('auth_login'));
    expect(keys.recorded).toBe(1);
    expect(seriesOf(await scrape(metrics), /^optix_ratelimit_decisions_total\{/)).toBe(1);
  });

  it(`are counted for ${MAX_RULES} rules by themselves, and for all later ones together`, async () => {
    const { observer, metrics } = counted();
    for (let rule = 0; rule < MAX_RULES + 5; rule += 1) {
      const { definition } = defineRule({
        name: `r${rule}`,
        limits: [],
        mode: 'UNLIMITED',
        onStoreFailure: 'FAIL_OPEN',
      });
      observer.decided(check(), uncounted(defineRule(definition), undefined, T, 'UNLIMITED'));
    }
    const lines = linesOf(await scrape(metrics), `${DECISIONS}{`);
    expect(Object.keys(lines)).toHaveLength(MAX_RULES + 1);
    expect(lines[`${DECISIONS}{rule="other",outcome="unlimited",source="none"}`]).toBe(5);
  });
});

describe('shadow denials', () => {
  const shadows = async (metrics: Metrics) => linesOf(await scrape(metrics), `${SHADOWS}{`);

  it('are counted for the rule whose shadow limit had no room, once a check', async () => {
    const { limiter, metrics, decisions } = counted();
    const asked = of('free', { also: [{ endpoint: 'tried', identifier: 'user:1', cost: 0 }] });
    for (let times = 0; times < 3; times += 1) await limiter.check(asked);
    expect(await shadows(metrics)).toEqual({ [`${SHADOWS}{rule="tried"}`]: 1 });
    expect(await decisions()).toEqual({ 'tried allowed memory': 3 });
  });

  it('are counted where the cost is more than a shadow limit ever has', async () => {
    const { limiter, metrics } = counted();
    await limiter.check(of('tried', { cost: 3 }));
    expect(await shadows(metrics)).toEqual({ [`${SHADOWS}{rule="tried"}`]: 1 });
  });
});
