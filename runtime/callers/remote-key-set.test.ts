import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type JWK, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { collectingLogger } from '../../testing/collecting-logger.ts';
import type { Caller } from './caller.ts';
import { RemoteKeySet } from './remote-key-set.ts';
import { ServiceTokens } from './service-tokens.ts';

const ISSUER = 'https://issuer.example';
const gateway: Caller = { name: 'gateway', scopes: new Set(), credential: 'service_token' };

/** An issuer that serves its keys, and what it answers with at the moment. */
interface Issuer extends AsyncDisposable {
  readonly url: string;
  requests: number;
  answer: { status: number; body: string; location?: string };
}

async function startIssuer(): Promise<Issuer> {
  const server = createServer((_, response) => {
    issuer.requests += 1;
    const { status, body, location } = issuer.answer;
    response.writeHead(status, location === undefined ? {} : { location }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer: Issuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    requests: 0,
    answer: { status: 200, body: '{"keys":[]}' },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
  return issuer;
}

function newKey(kid: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    jwk: async (): Promise<JWK> => ({ ...(await exportJWK(publicKey)), kid }),
    token: async (sub = 'gateway') =>
      await new SignJWT({ n: Math.random() })
        .setProtectedHeader({ alg: 'EdDSA', kid })
        .setIssuer(ISSUER)
        .setAudience('optix')
        .setSubject(sub)
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey),
  };
}

let issuer: Issuer;
let resources: AsyncDisposableStack;
beforeEach(async () => {
  resources = new AsyncDisposableStack();
  issuer = resources.use(await startIssuer());
});
afterEach(async () => {
  await resources.disposeAsync();
});

async function serve(...keys: readonly ReturnType<typeof newKey>[]): Promise<void> {
  const body = JSON.stringify({ keys: await Promise.all(keys.map((key) => key.jwk())) });
  issuer.answer = { status: 200, body };
}

function open(options: { readonly cooldownMs?: number; readonly everyMs?: number } = {}) {
  const { logger, entries } = collectingLogger();
  const keys = resources.use(new RemoteKeySet({ url: issuer.url, logger, ...options }));
  const subjects = new Map([['gateway', gateway]]);
  const tokens = new ServiceTokens([{ issuer: ISSUER, audience: 'optix', keys, subjects }]);
  const known = async (text: string) => (await tokens.authenticate(text, text)) === gateway;
  return { known, keys, log: () => entries.map(({ msg }) => String(msg)) };
}

describe('keys that an issuer serves', () => {
  it('are asked for once', async () => {
    const key = newKey('a');
    await serve(key);
    const { known } = open();
    const tokens = await Promise.all(Array.from({ length: 20 }, () => key.token()));
    expect(await Promise.all(tokens.map(known))).toEqual(tokens.map(() => true));
    expect(await known(await key.token())).toBe(true);
    expect(issuer.requests).toBe(1);
  });

  it('are asked for again when a token names an unknown one, but no more often than every so often', async () => {
    const [a, b] = [newKey('a'), newKey('b')];
    await serve(a);
    const { known } = open({ cooldownMs: 500 });
    expect(await known(await a.token())).toBe(true);
    await serve(a, b);
    for (let index = 0; index < 50; index += 1) expect(await known(await b.token())).toBe(false);
    expect(issuer.requests).toBe(1);
    await vi.waitFor(async () => expect(await known(await b.token())).toBe(true), { timeout: 3000 });
    expect(issuer.requests).toBe(2);
  });

  it('stop being good once they are taken away, also for tokens that were known', async () => {
    const [a, b] = [newKey('a'), newKey('b')];
    await serve(a, b);
    const { known } = open({ everyMs: 100 });
    const token = await a.token();
    expect(await known(token)).toBe(true);
    await serve(b);
    await vi.waitFor(async () => expect(await known(token)).toBe(false), { timeout: 3000 });
    expect(await known(await b.token())).toBe(true);
  });

  it.each([
    ['an error', { status: 500, body: '' }],
    ['no JSON', { status: 200, body: '<html>' }],
    ['no keys', { status: 200, body: '{"keys":[]}' }],
    ['secret keys only', { status: 200, body: '{"keys":[{"kty":"oct","k":"AA"}]}' }],
    ['a redirect', { status: 302, body: '', location: 'http://127.0.0.1:1/' }],
    ['megabytes', { status: 200, body: `{"keys":[],"x":"${'x'.repeat(2_000_000)}"}` }],
  ])('stay the last good ones while the URL answers with %s, which is logged once', async (_, answer) => {
    const key = newKey('a');
    await serve(key);
    const { known, log } = open({ everyMs: 50 });
    expect(await known(await key.token())).toBe(true);
    issuer.answer = answer;
    const asked = issuer.requests;
    await vi.waitFor(() => expect(issuer.requests).toBeGreaterThan(asked + 3));
    expect(await known(await key.token())).toBe(true);
    const lines = log().filter((line) => line.includes('can not be read'));
    expect(lines).toEqual(['the key set of an issuer can not be read: the last one stays']);
    await serve(key);
    await vi.waitFor(() => expect(log()).toContain('the key set of an issuer can be read again'));
  });

  it('are found once the URL is there, after a start without it', async () => {
    const key = newKey('a');
    issuer.answer = { status: 503, body: '' };
    const { known } = open();
    expect(await known(await key.token())).toBe(false);
    await serve(key);
    await vi.waitFor(async () => expect(await known(await key.token())).toBe(true), { timeout: 5000 });
  });
});
