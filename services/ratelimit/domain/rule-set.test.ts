import { describe, expect, it } from 'vitest';
import { DEFAULT_RULES } from './default-rules.ts';
import { defineRule } from './rule.ts';
import { RuleSet } from './rule-set.ts';

const LOGIN = defineRule({
  name: 'auth_login',
  limits: [{ limit: 5, windowMicros: 60_000_000 }],
  onStoreFailure: 'FAIL_LOCAL',
  overrides: [{ identifier: 'user:vip', mode: 'UNLIMITED' }],
});

describe('RuleSet', () => {
  it('starts with the rules, admin passing each', () => {
    const summary = [...new RuleSet(DEFAULT_RULES)].map(({ name, limits, onStoreFailure, bypassRoles }) => {
      const bounds = limits.map(({ limit, windowMicros, algorithm }) => {
        return `${limit}/${windowMicros / 1e6}s ${algorithm}`;
      });
      return `${name} ${bounds} ${onStoreFailure} ${bypassRoles}`;
    });
    expect(summary).toEqual([
      'auth_login 5/60s SLIDING_WINDOW_LOG FAIL_LOCAL admin',
      'auth_register 3/60s SLIDING_WINDOW_LOG FAIL_LOCAL admin',
      'auth_refresh 10/60s SLIDING_WINDOW_LOG FAIL_LOCAL admin',
      'auth_mfa 5/60s SLIDING_WINDOW_LOG FAIL_LOCAL admin',
      'auth_password_reset 3/60s SLIDING_WINDOW_LOG FAIL_LOCAL admin',
      'auth_email_verification 3/60s SLIDING_WINDOW_LOG FAIL_LOCAL admin',
      'api_default 100/60s SLIDING_WINDOW_LOG FAIL_OPEN admin',
    ]);
  });

  it('gives an endpoint its own rule, else api_default', () => {
    const rules = new RuleSet(DEFAULT_RULES);
    expect(rules.ruleFor('auth_mfa').rule.name).toBe('auth_mfa');
    expect(rules.ruleFor('orders').rule.name).toBe('api_default');
    expect(rules.ruleFor('constructor').rule.name).toBe('api_default');
    expect(rules.get('orders')).toBeUndefined();
  });

  it('tells what a rule says to an identifier', () => {
    const fallback = DEFAULT_RULES.at(-1);
    const { rule, termsFor } = new RuleSet([LOGIN, fallback as typeof LOGIN]).ruleFor('auth_login');
    expect(termsFor('user:vip').mode).toBe('UNLIMITED');
    expect(termsFor('user:1')).toBe(rule);
  });

  it('switches the overrides of a rule off with the rule', () => {
    const overrides = [{ identifier: 'user:1', limits: [{ limit: 1, windowMicros: 1_000_000 }] }];
    const off = defineRule({ ...LOGIN.definition, mode: 'DISABLED', overrides });
    const fallback = DEFAULT_RULES.at(-1) as typeof LOGIN;
    expect(new RuleSet([off, fallback]).ruleFor('auth_login').termsFor('user:1').mode).toBe('DISABLED');
    const shadowed = defineRule({ ...LOGIN.definition, mode: 'SHADOW', overrides });
    expect(new RuleSet([shadowed, fallback]).ruleFor('auth_login').termsFor('user:1').mode).toBe('ENFORCED');
  });

  it('refuses a name twice and a set without api_default', () => {
    expect(() => new RuleSet([...DEFAULT_RULES, LOGIN])).toThrow(/"auth_login".*twice/);
    expect(() => new RuleSet([LOGIN])).toThrow(/"api_default".*missing/);
  });
});
