import { describe, expect, it } from 'vitest';
import { ANY_CALLER, Policy } from './policy.ts';
import { policy, RPCS } from './testing-callers.ts';

describe('a policy', () => {
  it('tells what each RPC needs, and nothing of an RPC that it does not have', () => {
    expect(policy.needOf(RPCS.echo)).toBe('echo.read');
    expect(policy.needOf(RPCS.join)).toBe(ANY_CALLER);
    expect(policy.needOf(RPCS.chat)).toBeUndefined();
    // Not even what every object has.
    expect(policy.needOf('constructor')).toBeUndefined();
  });

  it('grants the default scopes where none are given, all for *, else those that are', () => {
    expect([...policy.grant(undefined)]).toEqual(['echo.read']);
    expect([...policy.grant(['*'])]).toEqual(['echo.read', 'echo.admin']);
    expect([...policy.grant(['echo.admin'])]).toEqual(['echo.admin']);
    expect([...policy.grant([])]).toEqual([]);
  });

  it('takes scopes for administration by their ending, or since the table says so', () => {
    const rpcs = { 's/A': 'a.admin', 's/B': 'b.write', 's/C': 'admin.read' };
    const own = new Policy({ rpcs, defaultScopes: [], adminScopes: ['b.write'] });
    expect(['a.admin', 'b.write', 'admin.read'].map((scope) => own.isAdmin(scope))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('has no scope that nothing needs', () => {
    expect(() => new Policy({ rpcs: { 's/A': 'a' }, defaultScopes: ['b'] })).toThrow(
      'no RPC needs the scope b',
    );
  });
});
