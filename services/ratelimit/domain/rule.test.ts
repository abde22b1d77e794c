import { describe, expect, it } from 'vitest';
import { DEFAULT_RULES } from './default-rules.ts';
import { InvalidRule } from './errors.ts';
import { defineRule, type RuleDefinition } from './rule.ts';
import { RuleSet } from './rule-set.ts';

const LOGIN: RuleDefinition = {
  name: 'auth_login',
  limit: 5,
  windowMicros: 60_000_000,
  onStoreFailure: 'FAIL_LOCAL',
};

describe('defineRule', () => {
  it('gives equal content an equal version, whatever the order and number of its roles', () => {
    const one = defineRule({ ...LOGIN, bypassRoles: ['ops', 'admin', 'ops'] });
    const other = defineRule({ ...LOGIN, bypassRoles: ['admin', 'ops'] });
    expect(one).toEqual(other);
    expect(one.version).toMatch(/^[0-9a-f]{16}$/);
  });

  it.each<Partial<RuleDefinition>>([
    { name: 'auth_mfa' },
    { limit: 6 },
    { windowMicros: 60_000_001 },
    { bypassRoles: [] },
    { onStoreFailure: 'FAIL_OPEN' },
  ])('gives other content another version: %j', (change) => {
    expect(defineRule({ ...LOGIN, ...change }).version).not.toBe(defineRule(LOGIN).version);
  });

  it.each<[string, Partial<Record<keyof RuleDefinition, unknown>>]>([
    ['name', { name: '' }],
    ['name', { name: 'a b' }],
    ['name', { name: 'x'.repeat(129) }],
    ['limit', { limit: 0 }],
    ['limit', { limit: 1.5 }],
    ['limit', { limit: 100_001 }],
    ['limit', { limit: Number.NaN }],
    ['windowMicros', { windowMicros: 999 }],
    ['windowMicros', { windowMicros: 366 * 86_400_000_000 + 1 }],
    ['algorithm', { algorithm: 'GUESS' }],
    ['onStoreFailure', { onStoreFailure: 'FAIL' }],
    ['bypassRoles', { bypassRoles: ['admin', ''] }],
  ])('refuses a bad %s: %j', (field, change) => {
    expect(() => defineRule({ ...LOGIN, ...change } as RuleDefinition)).toThrow(
      expect.objectContaining({ constructor: InvalidRule, field }),
    );
  });

  it('cannot be changed afterwards', () => {
    const rule = defineRule(LOGIN);
    expect(Object.isFrozen(rule) && Object.isFrozen(rule.bypassRoles)).toBe(true);
  });
});

describe('RuleSet', () => {
  it('starts with the five rules, admin passing each', () => {
    const summary = [...new RuleSet(DEFAULT_RULES)].map(
      (rule) =>
        `${rule.name} ${rule.limit}/${rule.windowMicros / 1e6}s ${rule.onStoreFailure} ${rule.bypassRoles}`,
    );
    expect(summary).toEqual([
      'auth_login 5/60s FAIL_LOCAL admin',
      'auth_register 3/60s FAIL_LOCAL admin',
      'auth_refresh 10/60s FAIL_LOCAL admin',
      'auth_mfa 5/60s FAIL_LOCAL admin',
      'api_default 100/60s FAIL_OPEN admin',
    ]);
  });

  it('gives an endpoint its own rule, else api_default', () => {
    const rules = new RuleSet(DEFAULT_RULES);
    expect(rules.ruleFor('auth_mfa').name).toBe('auth_mfa');
    expect(rules.ruleFor('orders').name).toBe('api_default');
    expect(rules.ruleFor('constructor').name).toBe('api_default');
  });

  it('refuses a name twice and a set without api_default', () => {
    expect(() => new RuleSet([...DEFAULT_RULES, defineRule(LOGIN)])).toThrow(/"auth_login".*twice/);
    expect(() => new RuleSet([defineRule(LOGIN)])).toThrow(/"api_default".*missing/);
  });
});
