import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidRule } from './errors.ts';
import { defineRule, type RuleDefinition, type RuleMode } from './rule.ts';
import { arbitraryDefinition } from './testing-definitions.ts';

const MINUTE = { limit: 5, windowMicros: 60_000_000 };
const LOGIN: RuleDefinition = { name: 'auth_login', limits: [MINUTE], onStoreFailure: 'FAIL_LOCAL' };
const HOURLY = { name: 'hourly', limit: 20, windowMicros: 3_600_000_000 };

function faults(change: object): string[] {
  try {
    defineRule({ ...LOGIN, ...change });
  } catch (error) {
    if (error instanceof InvalidRule) return error.faults.map(({ field }) => field);
    throw error;
  }
  return [];
}

describe('the version of a rule', () => {
  it('is the same for the same content, whatever is left to defaults and in whatever order roles stand', () => {
    const one = defineRule({ ...LOGIN, bypassRoles: ['ops', 'admin', 'ops'] });
    const other = defineRule({
      ...LOGIN,
      limits: [{ ...MINUTE, name: '', algorithm: 'SLIDING_WINDOW_LOG', burst: 5, shadow: false }],
      mode: 'ENFORCED',
      bypassRoles: ['admin', 'ops'],
      overrides: [],
    });
    expect(one).toEqual(other);
    expect(one.version).toMatch(/^[0-9a-f]{16}$/);
  });

  it.each<Partial<RuleDefinition>>([
    { name: 'auth_mfa' },
    { limits: [{ ...MINUTE, limit: 6 }] },
    { limits: [{ ...MINUTE, windowMicros: 60_000_001 }] },
    { limits: [{ ...MINUTE, algorithm: 'FIXED_WINDOW' }] },
    { limits: [{ ...MINUTE, name: 'minute' }] },
    { limits: [{ ...MINUTE, shadow: true }] },
    { limits: [MINUTE, HOURLY] },
    { mode: 'SHADOW' },
    { mode: 'DISABLED' },
    { bypassRoles: [] },
    { onStoreFailure: 'FAIL_OPEN' },
    { overrides: [{ identifier: 'user:1', mode: 'UNLIMITED' }] },
  ])('is another for other content: %j', (change) => {
    expect(defineRule({ ...LOGIN, ...change }).version).not.toBe(defineRule(LOGIN).version);
  });

  it('is that of its definition, so that a rule can be stored and made again', () => {
    fc.assert(
      fc.property(arbitraryDefinition, (definition) => {
        const rule = defineRule(definition);
        expect(defineRule(rule.definition)).toEqual(rule);
      }),
    );
  });
});

describe('a rule', () => {
  it('lets admins pass unless it says otherwise', () => {
    expect(defineRule(LOGIN).bypassRoles).toEqual(['admin']);
    expect(defineRule({ ...LOGIN, bypassRoles: [] }).bypassRoles).toEqual([]);
  });

  it('in shadow mode has shadow limits only', () => {
    const { limits } = defineRule({ ...LOGIN, limits: [MINUTE, HOURLY], mode: 'SHADOW' });
    expect(limits.map(({ shadow, keySuffix }) => [shadow, keySuffix])).toEqual([
      [true, '!'],
      [true, ':hourly!'],
    ]);
  });

  it.each<RuleMode>(['UNLIMITED', 'DISABLED'])('in mode %s counts nothing, and keeps its limits', (mode) => {
    const rule = defineRule({ ...LOGIN, mode });
    expect(rule.limits).toEqual([]);
    expect(rule.definition.limits).toHaveLength(1);
    expect(faults({ mode, limits: [] })).toEqual([]);
  });

  it('can not be changed afterwards', () => {
    const rule = defineRule({ ...LOGIN, overrides: [{ identifier: 'a', limits: [MINUTE] }] });
    const parts = [rule, rule.bypassRoles, rule.limits, rule.overrides, rule.overrides[0], rule.definition];
    expect(parts.every(Object.isFrozen)).toBe(true);
  });
});

describe('a bad rule', () => {
  const limits = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ ...MINUTE, name: `l${index}` }));
  const overrides = (count: number, identifier: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => ({ identifier: identifier(index), mode: 'UNLIMITED' }));

  it.each<[string, object]>([
    ['name', { name: '' }],
    ['name', { name: 'a b' }],
    ['name', { name: 'a\n' }],
    ['name', { name: 'x'.repeat(129) }],
    ['mode', { mode: 'GUESS' }],
    ['on_store_failure', { onStoreFailure: 'FAIL' }],
    ['bypass_roles', { bypassRoles: ['admin', ''] }],
    ['bypass_roles', { bypassRoles: ['ü'.repeat(33)] }],
    ['bypass_roles', { bypassRoles: Array.from({ length: 33 }, (_, index) => `r${index}`) }],
    ['limits', { limits: [] }],
    ['limits', { limits: limits(9) }],
    ['limits[0].window', { limits: [{ limit: 5, windowMicros: 0 }] }],
    ['limits[1].name', { limits: [MINUTE, MINUTE] }],
    ['limits[2].name', { limits: [MINUTE, HOURLY, HOURLY] }],
    ['overrides', { overrides: overrides(10_001, (index) => `user:${index}`) }],
    ['overrides[0].identifier', { overrides: overrides(1, () => '') }],
    ['overrides[0].identifier', { overrides: overrides(1, () => 'ü'.repeat(129)) }],
    ['overrides[0].identifier', { overrides: overrides(1, () => 'a\u0000') }],
    ['overrides[1].identifier', { overrides: overrides(2, () => 'user:1') }],
    ['overrides[100].identifier', { overrides: overrides(101, (index) => `user:${index}-*`) }],
    ['overrides[0].limits', { overrides: [{ identifier: 'a' }] }],
    ['overrides[0].limits[0].limit', { overrides: [{ identifier: 'a', limits: [{ ...MINUTE, limit: 0 }] }] }],
    ['overrides[0].mode', { overrides: [{ identifier: 'a', mode: 'x', limits: [MINUTE] }] }],
  ])('is refused for its %s: %j', (field, change) => {
    expect(faults(change)).toEqual([field]);
  });

  it('is refused with all that is wrong', () => {
    const bad = { name: '', mode: 'X', limits: [{ limit: 0, windowMicros: 0 }] };
    expect(faults(bad)).toEqual(['name', 'mode', 'limits[0].limit', 'limits[0].window']);
  });
});
