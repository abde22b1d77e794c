import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { VerifiedToken } from '../verified-token.ts';
import { authenticationOf } from './authenticate-request.ts';
import { checkedRequirement, type Requirement, unmet } from './requirement.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

function identity(change: Partial<VerifiedToken>): VerifiedToken {
  return {
    ...{
      userId: 'u',
      sessionId: 's',
      tokenId: 't',
      roles: [],
      generation: 1,
      keyId: 'k',
      amr: [],
      acr: null,
    },
    ...{ authenticatedAt: null, issuedAt: NOW, notBefore: NOW, expiresAt: NOW, checkedBy: 'nobody' },
    ...change,
  };
}
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1000);

describe('a requirement', () => {
  test('that is empty asks for somebody', () => {
    expect(unmet(identity({}), {})).toBeUndefined();
    expect(unmet(undefined, {})).toEqual({ error: 'token_missing' });
  });

  test.each([
    ['aal1', 'aal1', true],
    ['aal1', 'aal2', true],
    ['aal2', 'aal2', true],
    ['aal2', 'aal1', false],
    ['aal1', null, false],
    ['aal1', 'aal9', false],
  ] as const)('of %s against %s', (acr, has, isMet) => {
    expect(unmet(identity({ acr: has }), { acr }) === undefined).toBe(isMet);
  });

  test('of an age includes its end', () => {
    const requirement = { maxAgeSeconds: 60 };
    expect(unmet(identity({ authenticatedAt: ago(60) }), requirement)).toBeUndefined();
    expect(unmet(identity({ authenticatedAt: ago(60.001) }), requirement)).toEqual({
      ...{ error: 'insufficient_user_authentication', acr: undefined, maxAgeSeconds: 60 },
    });
  });

  test('has nobody authenticate again for what they may not do then either', () => {
    const requirement: Requirement = { roles: ['admin'], acr: 'aal2' };
    expect(unmet(identity({ acr: 'aal1' }), requirement)).toEqual({ error: 'insufficient_scope' });
  });

  test.each<[part: string, requirement: object]>([
    ['"role"', { role: 'admin' }],
    ['"maxAge"', { maxAge: 60 }],
    ['roles', { roles: [] }],
    ['roles', { roles: 'admin' }],
    ['roles', { roles: [''] }],
    ['acr', { acr: 'aal3' }],
    ['maxAgeSeconds', { maxAgeSeconds: 0 }],
    ['maxAgeSeconds', { maxAgeSeconds: 1.5 }],
    ['maxAgeSeconds', { maxAgeSeconds: Number.NaN }],
    ['maxAgeSeconds', { maxAgeSeconds: '60' }],
  ])('that can not be meant so is refused by name: %s in %j', (part, requirement) => {
    expect(() => checkedRequirement(requirement)).toThrow(TypeError);
    expect(() => checkedRequirement(requirement)).toThrow(part);
  });
});

describe('options', () => {
  const verifier = { verify: async () => identity({}) };

  test.each(['', 'a"b', 'a\\b', 'a\nb', 'Läden'])(
    'name no realm that a header can not carry: %j',
    (realm) => {
      expect(() => authenticationOf({ verifier, realm })).toThrow('realm');
    },
  );

  test('do not require something of nobody', () => {
    expect(() => authenticationOf({ verifier, optional: true, requirement: { roles: ['a'] } })).toThrow(
      TypeError,
    );
  });
});
