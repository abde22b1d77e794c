import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defineRule, type Terms } from './rule.ts';
import { RuleTerms } from './rule-terms.ts';

const MINUTE_MICROS = 60_000_000;

/** Overrides with the limits 1, 2, ..., in the order given, of a rule with the limit 1000. */
function termsOf(...identifiers: string[]): RuleTerms {
  return new RuleTerms(
    defineRule({
      name: 'api_default',
      limits: [{ limit: 1_000, windowMicros: MINUTE_MICROS }],
      onStoreFailure: 'FAIL_OPEN',
      overrides: identifiers.map((identifier, index) => ({
        identifier,
        limits: [{ limit: index + 1, windowMicros: MINUTE_MICROS }],
      })),
    }),
  );
}

const limitOf = ({ limits }: Terms) => limits[0]?.limit;

describe('overrides', () => {
  it('leave everybody else to the rule', () => {
    expect(limitOf(termsOf('user:1', 'user:vip-*').for('user:2'))).toBe(1_000);
  });

  it('go by the exact identifier before any pattern', () => {
    expect(limitOf(termsOf('user:*', 'user:vip-1').for('user:vip-1'))).toBe(2);
  });

  it.each([
    ['the one with more before its first *', ['*', 'user:*', 'user:vip-*'], 'user:vip-1', 3],
    ['so a long end does not help', ['*-of-a-very-long-name', 'u*'], 'u-of-a-very-long-name', 2],
    ['of equals the longer', ['user:*', 'user:*-eu'], 'user:1-eu', 2],
    ['of these the first by code units', ['user:*b*', 'user:*a*'], 'user:ab', 2],
  ])('choose among patterns %s', (_, identifiers, identifier, limit) => {
    expect(limitOf(termsOf(...identifiers).for(identifier))).toBe(limit);
    const reversed = termsOf(...[...identifiers].reverse()).for(identifier);
    expect(limitOf(reversed)).toBe(identifiers.length + 1 - limit);
  });

  it.each([
    ['*', '', true],
    ['user:vip-*', 'user:vip-', true],
    ['user:vip-*', 'user:vip', false],
    ['*:vip', 'user:vip', true],
    ['*:vip', 'user:vip2', false],
    ['ab*ba', 'aba', false],
    ['ab*ba', 'abba', true],
    ['a*b*c', 'axbxc', true],
    ['a*b*c', 'acb', false],
    ['a*bc*c', 'abc', false],
    ['a**b', 'ab', true],
    ['a.c*', 'abc', false],
  ])('%s matches "%s": %s', (pattern, identifier, matches) => {
    expect(limitOf(termsOf(pattern).for(identifier))).toBe(matches ? 1 : 1_000);
  });

  it('match as a regular expression with .* for each star would', () => {
    const pattern = fc.stringMatching(/^[ab*]{0,7}\*[ab*]{0,3}$/);
    fc.assert(
      fc.property(pattern, fc.stringMatching(/^[ab]{0,12}$/), (text, identifier) => {
        const expression = new RegExp(`^${text.replaceAll('*', '.*')}$`);
        expect(limitOf(termsOf(text).for(identifier)) === 1).toBe(expression.test(identifier));
      }),
      { numRuns: 2_000 },
    );
  });

  it('find no match quickly in an identifier made to make that slow', () => {
    const terms = termsOf(`${'a*'.repeat(60)}b`);
    const start = performance.now();
    for (let times = 0; times < 1_000; times += 1) terms.for(`${'a'.repeat(255)}c`);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});
