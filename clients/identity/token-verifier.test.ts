import { createHmac, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TestTokenService } from './testing-token-service.ts';
import { until, VerifierTests } from './testing-verifiers.ts';
import { KeysUnknown } from './token-errors.ts';

let tests: VerifierTests;
beforeEach(async () => {
  tests = await VerifierTests.start();
});
afterEach(() => tests[Symbol.asyncDispose]());

describe('a good token', () => {
  test.each(['EdDSA', 'ES256'] as const)('is read without asking about it: %s', async (algorithm) => {
    const { jwk } = await tests.service.addKey(algorithm);
    const verifier = await tests.connectFresh();
    const authentication = { amr: ['pwd', 'otp', 'mfa'], acr: 'aal2', auth_time: 1_790_000_000 };
    const token = await tests.service.issue({
      claims: { gen: 3, roles: ['user', 'admin'], ...authentication },
    });
    const { sub, sid, jti, exp = 0 } = decodeJwt(token);
    expect(await verifier.verify(token)).toMatchObject({
      ...{ userId: sub, sessionId: sid, tokenId: jti, roles: ['user', 'admin'], generation: 3 },
      ...{ keyId: jwk.kid, expiresAt: new Date(exp * 1000), checkedBy: 'revocation_stream' },
      ...{ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2', authenticatedAt: new Date(1_790_000_000_000) },
    });
    expect(tests.service.calls).toMatchObject({ introspectToken: 0, getJwks: 1 });
  });

  test('need not tell how its user authenticated: identity of before did not', async () => {
    const verifier = await tests.connectFresh();
    const token = await tests.service.issue({ claims: { amr: ['pwd'] } });
    expect(await verifier.verify(token)).toMatchObject({ amr: ['pwd'], acr: null, authenticatedAt: null });
  });

  test('costs one fetch of keys, however many come at once', async () => {
    const verifier = await tests.connectFresh();
    const tokens = await Promise.all(Array.from({ length: 20 }, () => tests.service.issue()));
    await Promise.all(tokens.map((token) => verifier.verify(token)));
    expect(tests.service.calls.getJwks).toBe(1);
  });

  test('is looked at again with each use, though its signature is remembered', async () => {
    const verifier = await tests.connectFresh({ clockToleranceSeconds: 0 });
    const iat = Math.floor(Date.now() / 1000);
    const token = await tests.service.issue({ claims: { exp: iat + 2 } });
    await verifier.verify(token);
    await sleep(2100);
    expect(await tests.reasonOf(verifier, token)).toBe('expired');
  });

  test('is forgotten where too many come', async () => {
    const verifier = await tests.connectFresh({ cachedTokens: 2 });
    const tokens = await Promise.all([1, 2, 3].map(() => tests.service.issue()));
    for (const token of [...tokens, ...tokens]) await verifier.verify(token);
  });
});

describe('is not good:', () => {
  test.each<[reason: string, Parameters<TestTokenService['issue']>[0]]>([
    ['issuer', { claims: { iss: 'https://evil.example' } }],
    ['audience', { claims: { aud: 'others' } }],
    ['expired', { claims: { exp: Math.floor(Date.now() / 1000) - 6 } }],
    ['not_yet_valid', { claims: { nbf: Math.floor(Date.now() / 1000) + 60 } }],
    ['type', { header: { typ: 'JWT' } }],
    ['unknown_key', { header: { kid: 'made-up' } }],
    ['unknown_key', { header: { kid: undefined as unknown as string } }],
    ['claims', { claims: { gen: 'x' } }],
    ['claims', { claims: { gen: undefined } }],
    ['claims', { claims: { roles: 'admin' } }],
    ['claims', { claims: { sid: undefined } }],
    ['claims', { claims: { exp: undefined } }],
    ['claims', { claims: { amr: 'mfa' } }],
    ['claims', { claims: { amr: [1] } }],
    ['claims', { claims: { acr: 2 } }],
    ['claims', { claims: { auth_time: '1790000000' } }],
  ])('%s: %j', async (reason, change) => {
    expect(await tests.reasonOf(await tests.connectFresh(), await tests.service.issue(change))).toBe(reason);
  });

  test.each(['', 'opaque', 'a.b', 'a.b.c', 'a.b.c.d', 'x'.repeat(9000)])('malformed: %j', async (token) => {
    expect(await tests.reasonOf(await tests.connectFresh(), token)).toBe('malformed');
  });

  test('another signature, another algorithm than the key is for, none at all', async () => {
    const verifier = await tests.connectFresh();
    const [key] = tests.service.keys;
    if (key === undefined) throw new Error('no key');
    const { privateKey } = generateKeyPairSync('ed25519');
    expect(await tests.reasonOf(verifier, await tests.service.issue({ key: { ...key, privateKey } }))).toBe(
      'signature',
    );

    const other = await tests.service.addKey('ES256');
    const crossed = await tests.service.issue({ key: { ...other, jwk: key.jwk } });
    expect(await tests.reasonOf(verifier, crossed)).toBe('algorithm');

    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const [, payload] = (await tests.service.issue({ key })).split('.');
    const header = (alg: string) => encode({ alg, typ: 'at+jwt', kid: key.jwk.kid });
    expect(await tests.reasonOf(verifier, `${header('none')}.${payload}.`)).toBe('algorithm');
    const input = `${header('HS256')}.${payload}`;
    const mac = createHmac('sha256', Buffer.from(key.jwk.x, 'base64url')).update(input).digest('base64url');
    expect(await tests.reasonOf(verifier, `${input}.${mac}`)).toBe('algorithm');
  });

  test('a key that claims an algorithm which is not its own is left out', async () => {
    const key = await tests.service.addKey('ES256');
    key.jwk.alg = 'EdDSA';
    expect(await tests.reasonOf(await tests.connectFresh(), await tests.service.issue({ key }))).toBe(
      'unknown_key',
    );
  });
});

describe('keys', () => {
  test('a new one is fetched with the first token it signed', async () => {
    const verifier = await tests.connectFresh({ keyRetryMs: 0 });
    await verifier.verify(await tests.service.issue());
    await tests.service.addKey('ES256');
    await verifier.verify(await tests.service.issue());
    expect(tests.service.calls.getJwks).toBe(2);
  });

  test('made-up ones have them fetched once in a while only', async () => {
    const verifier = await tests.connectFresh({ keyRetryMs: 60_000 });
    for (let index = 0; index < 20; index += 1) {
      const token = await tests.service.issue({ header: { kid: `made-up-${index}` } });
      expect(await tests.reasonOf(verifier, token)).toBe('unknown_key');
    }
    expect(tests.service.calls.getJwks).toBe(1);
  });

  test('are kept while identity is away, and no longer than may be', async () => {
    const verifier = await tests.connectFresh({
      keyMaxAgeMs: 1500,
      keyRefreshMs: 100,
      keyRetryMs: 0,
      whenStale: 'accept',
    });
    await verifier.verify(await tests.service.issue());
    tests.service.down();
    await sleep(300);
    await verifier.verify(await tests.service.issue());
    await sleep(1400);
    expect(await tests.failureOf(verifier, await tests.service.issue())).toBeInstanceOf(KeysUnknown);
  });

  test('where none was ever had, nothing is said of a token', async () => {
    tests.service.down();
    const error = await tests.failureOf(tests.connect({ whenStale: 'accept' }), await tests.service.issue());
    expect(error).toBeInstanceOf(KeysUnknown);
  });

  test('are not waited for longer than two seconds where identity hangs', async () => {
    const { service } = tests;
    // Reads, and never answers.
    const sockets = new Set<Socket>();
    const hanging = createServer((socket) => sockets.add(socket.resume())).listen(0, '127.0.0.1');
    await once(hanging, 'listening');
    const address = `127.0.0.1:${(hanging.address() as AddressInfo).port}`;
    const verifier = tests.connect({ address });
    const startedAt = performance.now();
    expect(await tests.failureOf(verifier, await service.issue())).toBeInstanceOf(KeysUnknown);
    expect(performance.now() - startedAt).toBeLessThan(4000);
    for (const socket of sockets) socket.destroy();
    hanging.close();
  });

  test('that were withdrawn are gone for tokens that were seen before too, once they were asked for again', async () => {
    const verifier = await tests.connectFresh({ keyRefreshMs: 100, keyRetryMs: 0 });
    const token = await tests.service.issue();
    await verifier.verify(token);
    await tests.service.addKey('EdDSA');
    tests.service.keys.pop();
    await sleep(150);
    await verifier.verify(token);
    await until(() => tests.service.calls.getJwks >= 2);
    await sleep(50);
    expect(await tests.reasonOf(verifier, token)).toBe('unknown_key');
  });

  test('that were withdrawn are gone after the refresh', async () => {
    const verifier = await tests.connectFresh({ keyRefreshMs: 0, keyRetryMs: 0 });
    const token = await tests.service.issue();
    await verifier.verify(token);
    const other = await tests.service.issue();
    await tests.service.addKey('EdDSA');
    tests.service.keys.pop();
    await verifier.verify(other);
    await until(() => tests.service.calls.getJwks >= 2);
    await sleep(50);
    expect(await tests.reasonOf(verifier, await tests.service.issue({ header: { kid: 'x' } }))).toBe(
      'unknown_key',
    );
  });
});
