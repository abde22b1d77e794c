import { describe, expect, it } from 'vitest';
import { RULE_NAME } from '../rule.ts';
import type { EnvoyQuota, EnvoyUnit } from './envoy-config.ts';
import { MAX_REQUESTS_PER_UNIT, overrideLimit, rateQuota } from './envoy-limit.ts';

const ruleOf = (quota: EnvoyQuota) => (quota.kind === 'RATE' ? quota.rule : undefined);
const rule = (statKey: string, requestsPerUnit = 5, unit: EnvoyUnit = 'MINUTE') =>
  ruleOf(rateQuota(statKey, requestsPerUnit, unit, 'FAIL_LOCAL'));

describe('a rate', () => {
  it.each<[EnvoyUnit, number]>([
    ['SECOND', 1],
    ['MINUTE', 60],
    ['HOUR', 3_600],
    ['DAY', 86_400],
    ['WEEK', 604_800],
    ['MONTH', 2_592_000],
    ['YEAR', 31_536_000],
  ])('counts from each multiple of a %s', (unit, seconds) => {
    expect(rule('edge.a', 5, unit)?.limits).toEqual([
      {
        name: unit.toLowerCase(),
        algorithm: 'FIXED_WINDOW',
        limit: 5,
        windowMicros: seconds * 1_000_000,
        burst: 5,
        shadow: false,
        keySuffix: `:${unit.toLowerCase()}~f`,
      },
    ]);
  });

  it('has no rule where it lets nothing pass', () => {
    expect(rateQuota('edge.a', 0, 'DAY', 'FAIL_OPEN')).toEqual({
      kind: 'RATE',
      requestsPerUnit: 0,
      unit: 'DAY',
      rule: undefined,
    });
  });

  it('is a rule without roles that bypass it, which the store can be away from as set', () => {
    expect(ruleOf(rateQuota('edge.a', 1, 'DAY', 'FAIL_CLOSED'))).toMatchObject({
      mode: 'ENFORCED',
      bypassRoles: [],
      overrides: [],
      onStoreFailure: 'FAIL_CLOSED',
    });
  });

  it('has a version that changes with what it says', () => {
    expect(rule('edge.a')?.version).toMatch(/^[0-9a-f]{16}$/);
    expect(rule('edge.a')?.version).toBe(rule('edge.a')?.version);
    const others = [rule('edge.b'), rule('edge.a', 6), rule('edge.a', 5, 'HOUR')];
    expect(new Set([rule('edge.a'), ...others].map((each) => each?.version)).size).toBe(4);
  });

  it('is named after its place in the configuration, as far as a rule can be', () => {
    expect(rule('edge.remote_address_10.0.0.1')?.name).toBe('edge.remote_address_10.0.0.1');
    const hostile = [
      'edge.a_*',
      'edge.a_ ',
      `edge.${'a'.repeat(124)}`,
      `edge.${'a'.repeat(125)}`,
      'édge.\n',
      '',
    ];
    const names = hostile.map((statKey) => rule(statKey)?.name as string);
    for (const name of names) expect(name).toMatch(RULE_NAME);
    expect(names[0]).toMatch(/^edge\.a__-[0-9a-f]{16}$/);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('a limit that a descriptor brings', () => {
  it('counts as a configured one of the same unit does', () => {
    const brought = ruleOf(overrideLimit(9, 'HOUR').quota);
    expect(brought?.limits[0]).toEqual(rule('edge.a', 9, 'HOUR')?.limits[0]);
    expect(overrideLimit(9, 'HOUR')).toMatchObject({
      name: '',
      replaces: [],
      shadowMode: false,
      quotaMode: false,
    });
  });

  it('is one object for one limit', () => {
    expect(overrideLimit(9, 'HOUR')).toBe(overrideLimit(9, 'HOUR'));
    expect(overrideLimit(9, 'HOUR', 'FAIL_OPEN')).not.toBe(overrideLimit(9, 'HOUR'));
    expect(ruleOf(overrideLimit(9, 'HOUR', 'FAIL_OPEN').quota)?.onStoreFailure).toBe('FAIL_OPEN');
  });

  it('is forgotten where callers bring ever more numbers', () => {
    const first = overrideLimit(1, 'YEAR');
    for (let count = 2; count < 1_100; count += 1) overrideLimit(count, 'YEAR');
    expect(overrideLimit(1, 'YEAR')).not.toBe(first);
    expect(overrideLimit(1_099, 'YEAR')).toBe(overrideLimit(1_099, 'YEAR'));
  });

  it('may be as large as the API has it', () => {
    expect(ruleOf(overrideLimit(MAX_REQUESTS_PER_UNIT, 'DAY').quota)?.limits[0]?.limit).toBe(4_294_967_295);
  });
});
