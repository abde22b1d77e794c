import { describe, expect, it } from 'vitest';
import { mergeTerms, planCheck } from './check-plan.ts';
import { CostExceedsLimit } from './errors.ts';
import { check, MINUTE, rulesOf, termsOf } from './testing-decisions.ts';

const limit = (name: string, units: number, shadow = false) => ({
  name,
  limit: units,
  windowMicros: MINUTE,
  shadow,
});
const rules = rulesOf({
  auth_login: {
    limits: [limit('minute', 5), limit('try', 2, true)],
    overrides: [
      { identifier: 'user:free', mode: 'UNLIMITED' },
      { identifier: 'user:vip', limits: [limit('minute', 50)] },
    ],
  },
  off: { mode: 'DISABLED' },
  burst: { limits: [{ algorithm: 'TOKEN_BUCKET', limit: 1, windowMicros: MINUTE, burst: 20 }] },
  closed: { limits: [limit('', 5)], bypassRoles: [] },
});

const plan = (change: Parameters<typeof check>[0]) => planCheck(rules, check(change), '');
const asked = (change: Parameters<typeof check>[0]) =>
  plan(change).terms.map(({ key, cost }) => `${key} ${cost}`);

describe('planCheck', () => {
  it('asks each limit of the rule under a key of its own; a cost of 0 is 1', () => {
    const { rule, terms, pass, shadowDenied } = plan({});
    expect(rule.name).toBe('auth_login');
    expect([pass, shadowDenied]).toEqual([undefined, false]);
    expect(terms.map(({ key, cost }) => [key, cost])).toEqual([
      ['ratelimit:auth_login:{user:1}:minute', 1],
      ['ratelimit:auth_login:{user:1}:try!', 1],
    ]);
    expect(terms[0]).toMatchObject({
      endpoint: 'auth_login',
      identifier: 'user:1',
      rule,
      limit: { limit: 5 },
    });
  });

  it('counts an endpoint without a rule by itself, by api_default', () => {
    const { rule, terms } = plan({ endpoint: 'orders' });
    expect(rule.name).toBe('api_default');
    expect(terms.map(({ key }) => key)).toEqual(['ratelimit:orders:{user:1}']);
  });

  it('takes what the rule says of the identifier', () => {
    expect(plan({ identifier: 'user:vip' }).terms.map((term) => term.limit.limit)).toEqual([50]);
  });

  it('asks further keys too, with endpoint and cost of the check unless they have their own', () => {
    const also = [
      { endpoint: '', identifier: 'ip:1', cost: 0 },
      { endpoint: 'orders', identifier: 'all', cost: 7 },
    ];
    expect(asked({ endpoint: 'quotes', cost: 2, also })).toEqual([
      'ratelimit:quotes:{user:1} 2',
      'ratelimit:quotes:{ip:1} 2',
      'ratelimit:orders:{all} 7',
    ]);
  });

  it('puts targets of one key together', () => {
    const also = [{ endpoint: '', identifier: 'user:1', cost: 3 }];
    expect(asked({ endpoint: 'quotes', cost: 2, also })).toEqual(['ratelimit:quotes:{user:1} 5']);
  });

  it.each([
    [{ roles: ['admin'] }, 'BYPASS'],
    [{ identifier: 'user:free' }, 'UNLIMITED'],
    [{ endpoint: 'off' }, 'DISABLED'],
    [{ endpoint: 'off', roles: ['admin'] }, 'DISABLED'],
  ])('asks nothing for %j and says why', (change, pass) => {
    expect(plan(change)).toMatchObject({ terms: [], pass });
  });

  it('knows roles by their exact name, and only those of the rule', () => {
    expect(plan({ roles: ['administrator', 'ADMIN', ''] }).pass).toBeUndefined();
    expect(plan({ endpoint: 'closed', roles: ['admin'] }).pass).toBeUndefined();
  });

  it('still asks the further keys that have no such role', () => {
    const also = [{ endpoint: 'closed', identifier: 'ip:1', cost: 0 }];
    expect(plan({ roles: ['admin'], also })).toMatchObject({
      pass: 'BYPASS',
      terms: [{ key: 'ratelimit:closed:{ip:1}' }],
    });
  });

  it.each([
    [{ cost: 6 }, 'cost', 6, 5],
    [{ cost: 6, roles: ['admin'] }, 'cost', 6, 5],
    [{ cost: 4_294_967_295 }, 'cost', 4_294_967_295, 5],
    [{ endpoint: 'burst', cost: 21 }, 'cost', 21, 20],
    [{ also: [{ endpoint: '', identifier: 'x', cost: 6 }] }, 'also[0].cost', 6, 5],
    [{ cost: 3, also: [{ endpoint: '', identifier: 'user:1', cost: 3 }] }, 'cost', 6, 5],
  ])('refuses %j, which could never be allowed', (change, field, cost, most) => {
    const planning = () => planCheck(rules, check(change), 'checks[3].');
    expect(planning).toThrow(CostExceedsLimit);
    expect(planning).toThrow(expect.objectContaining({ field: `checks[3].${field}`, cost, limit: most }));
  });

  it('allows a cost up to the burst of a bucket', () => {
    expect(asked({ endpoint: 'burst', cost: 20 })).toEqual(['ratelimit:burst:{user:1}~b 20']);
  });

  it('leaves out a shadow limit that never has room for the cost, and says so', () => {
    expect(plan({ cost: 3 })).toMatchObject({ shadowDenied: true, terms: [{ limit: { name: 'minute' } }] });
    const twice = plan({ cost: 2, also: [{ endpoint: '', identifier: 'user:1', cost: 2 }] });
    expect(twice).toMatchObject({ shadowDenied: true, terms: [{ limit: { name: 'minute' }, cost: 4 }] });
    expect(twice.terms).toHaveLength(1);
  });
});

describe('mergeTerms', () => {
  it('adds up the costs of one key, in the place of its first', () => {
    const terms = [
      ...termsOf(rules, check({ cost: 1 })),
      ...termsOf(rules, check({ identifier: 'x' })),
      ...termsOf(rules),
    ];
    const merged = mergeTerms(terms, 'checks');
    expect(merged.shadowDenied).toBe(false);
    expect(merged.terms.map(({ key, cost }) => `${key} ${cost}`)).toEqual([
      'ratelimit:auth_login:{user:1}:minute 2',
      'ratelimit:auth_login:{user:1}:try! 2',
      'ratelimit:auth_login:{x}:minute 1',
      'ratelimit:auth_login:{x}:try! 1',
    ]);
  });

  it('leaves terms of different keys as they are', () => {
    const terms = termsOf(rules);
    expect(mergeTerms(terms, 'checks').terms).toBe(terms);
  });

  it('refuses what is more than an enforced limit ever has', () => {
    const terms = [...termsOf(rules, check({ cost: 3 })), ...termsOf(rules, check({ cost: 3 }))];
    expect(() => mergeTerms(terms, 'checks')).toThrow(
      expect.objectContaining({ name: 'CostExceedsLimit', field: 'checks', cost: 6, limit: 5 }),
    );
  });
});
