import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { decodeJwt } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Subject } from './testing-token-service.ts';
import { until, VerifierTests } from './testing-verifiers.ts';
import { RevocationsUnknown, TokenRevoked } from './token-errors.ts';
import type { TokenVerifierOptions } from './token-verifier.ts';

let tests: VerifierTests;
beforeEach(async () => {
  tests = await VerifierTests.start();
});
afterEach(() => tests[Symbol.asyncDispose]());

describe('what was revoked', () => {
  const subjects: [string, (claims: ReturnType<typeof decodeJwt>) => Subject][] = [
    ['the session', ({ sid }) => ({ case: 'sessionId', value: sid as string })],
    ['the token', ({ jti = '' }) => ({ case: 'tokenId', value: jti })],
    [
      'older tokens of the user',
      ({ sub = '' }) => ({ case: 'user', value: { userId: sub, generation: 2n } }),
    ],
    ['the key', () => ({ case: 'keyId', value: tests.service.keys[0]?.jwk.kid ?? '' })],
  ];

  test.each(subjects)('%s: the token is refused within a second', async (_what, subjectOf) => {
    const verifier = await tests.connectFresh();
    const token = await tests.service.issue();
    await verifier.verify(token);
    tests.service.revoke(subjectOf(decodeJwt(token)), 'signed_out');
    const revokedAt = performance.now();
    let reason: unknown;
    await until(() => {
      void verifier.verify(token).catch((error: unknown) => {
        reason = error;
      });
      return reason !== undefined;
    });
    expect(performance.now() - revokedAt).toBeLessThan(1000);
    expect(reason).toEqual(new TokenRevoked('signed_out'));
  });

  test.each(subjects)('%s, before the verifier came', async (_what, subjectOf) => {
    const token = await tests.service.issue();
    tests.service.revoke(subjectOf(decodeJwt(token)), 'revoked');
    expect(await tests.reasonOf(await tests.connectFresh(), token)).toBe('revoked');
  });

  test('tokens of others, and of the generation that is current, stay good', async () => {
    const verifier = await tests.connectFresh();
    const sub = randomUUID();
    tests.service.revoke({ case: 'user', value: { userId: sub, generation: 3n } }, 'roles_changed');
    // A late one of an earlier change takes nothing back.
    tests.service.revoke({ case: 'user', value: { userId: sub, generation: 2n } }, 'roles_changed');
    const [older, current, foreign] = await Promise.all([
      tests.service.issue({ claims: { sub, gen: 2 } }),
      tests.service.issue({ claims: { sub, gen: 3 } }),
      tests.service.issue({ claims: { gen: 1 } }),
    ]);
    await sleep(200);
    expect(await tests.reasonOf(verifier, older)).toBe('roles_changed');
    await verifier.verify(current);
    await verifier.verify(foreign);
  });

  test('is still known after identity was away, and what was revoked meanwhile comes by the cursor', async () => {
    const verifier = await tests.connectFresh({ staleAfterMs: 300 });
    const [first, second] = await Promise.all([tests.service.issue(), tests.service.issue()]);
    await verifier.verify(first);
    tests.service.revoke({ case: 'sessionId', value: decodeJwt(first)['sid'] as string }, 'before');
    await until(() => tests.service.streams === 1);
    await sleep(100);
    tests.service.down();
    await until(() => !verifier.state.fresh);
    tests.service.revoke({ case: 'sessionId', value: decodeJwt(second)['sid'] as string }, 'meanwhile');
    tests.service.up();
    await until(() => verifier.state.fresh);
    expect(await tests.reasonOf(verifier, first)).toBe('before');
    expect(await tests.reasonOf(verifier, second)).toBe('meanwhile');
    expect(tests.service.cursors.at(-1)).toBe('1');
  });

  test('a cursor that identity can not read leads to a snapshot', async () => {
    const verifier = await tests.connectFresh({ staleAfterMs: 300 });
    tests.service.failure = new ConnectError('the cursor is not one', Code.InvalidArgument);
    await until(() => !verifier.state.fresh);
    const token = await tests.service.issue();
    tests.service.revoke({ case: 'tokenId', value: decodeJwt(token).jti ?? '' }, 'revoked');
    tests.service.failure = null;
    await until(() => verifier.state.fresh);
    expect(tests.service.cursors.at(-1)).toBe('');
    expect(await tests.reasonOf(verifier, token)).toBe('revoked');
  });
});

describe('while the stream is silent', () => {
  async function silence(options: Partial<TokenVerifierOptions>) {
    const verifier = await tests.connectFresh({ staleAfterMs: 200, ...options });
    const token = await tests.service.issue();
    await verifier.verify(token);
    tests.service.isSilent = true;
    await until(() => !verifier.state.fresh);
    return { verifier, token };
  }

  test('introspect: identity is asked about each token, and its word holds', async () => {
    const { verifier, token } = await silence({});
    tests.service.introspection = { active: true, roles: ['admin'] };
    expect(await verifier.verify(token)).toMatchObject({ roles: ['admin'], checkedBy: 'introspection' });
    tests.service.introspection = { active: false, roles: [] };
    expect(await tests.failureOf(verifier, token)).toEqual(new TokenRevoked('inactive'));
    tests.service.introspection = null;
    expect(await tests.failureOf(verifier, token)).toBeInstanceOf(RevocationsUnknown);
    expect(tests.service.calls.introspectToken).toBe(3);
  });

  test('reject: nothing is good', async () => {
    const { verifier, token } = await silence({ whenStale: 'reject' });
    expect(await tests.failureOf(verifier, token)).toBeInstanceOf(RevocationsUnknown);
    expect(tests.service.calls.introspectToken).toBe(0);
  });

  test('accept: what is good in itself is good, and known revocations still count', async () => {
    const verifier = await tests.connectFresh({ staleAfterMs: 200, whenStale: 'accept' });
    const [good, bad] = await Promise.all([tests.service.issue(), tests.service.issue()]);
    await verifier.verify(good);
    tests.service.revoke({ case: 'tokenId', value: decodeJwt(bad).jti ?? '' }, 'revoked');
    await sleep(100);
    tests.service.isSilent = true;
    await until(() => !verifier.state.fresh);
    expect(await verifier.verify(good)).toMatchObject({ checkedBy: 'nobody' });
    expect(await tests.reasonOf(verifier, bad)).toBe('revoked');
  });

  test('the state says since when, and tells of each change', async () => {
    const { verifier } = await silence({});
    await until(() => tests.states.length > 1);
    expect(tests.states.map(({ fresh }) => fresh)).toEqual([true, false]);
    const { state } = verifier;
    expect(state.fresh ? null : Date.now() - state.since.getTime()).toBeLessThan(2000);
    tests.service.isSilent = false;
    await until(() => verifier.state.fresh);
    expect(tests.states.map(({ fresh }) => fresh).slice(0, 3)).toEqual([true, false, true]);
  });

  test('a stream that stays silent is given up for a new one', async () => {
    await silence({});
    const before = tests.service.calls.watchRevocations;
    await until(() => tests.service.calls.watchRevocations > before, 8000);
  });

  test('that breaks off, the state has the reason', async () => {
    const { verifier } = await silence({});
    tests.service.failure = new ConnectError('no', Code.PermissionDenied);
    await until(() => !verifier.state.fresh && verifier.state.error !== undefined);
    expect(verifier.state).toMatchObject({ error: { code: Code.PermissionDenied } });
  });
});

test('nothing is known before the snapshot is complete', async () => {
  tests.service.isBehind = true;
  const verifier = tests.connect({ whenStale: 'reject' });
  await until(() => tests.service.streams === 1);
  await sleep(200);
  expect(verifier.state.fresh).toBe(false);
  expect(await tests.failureOf(verifier, await tests.service.issue())).toBeInstanceOf(RevocationsUnknown);
  tests.service.isBehind = false;
  await until(() => verifier.state.fresh);
});

test('disposed of, the stream ends and no state is told any more', async () => {
  const verifier = await tests.connectFresh({ staleAfterMs: 100 });
  verifier[Symbol.dispose]();
  await until(() => tests.service.streams === 0);
  const told = tests.states.length;
  await sleep(300);
  expect(tests.states).toHaveLength(told);
  expect(verifier.state.fresh).toBe(false);
});
