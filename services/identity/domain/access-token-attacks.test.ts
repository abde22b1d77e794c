import { createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { decodeJwt, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { MalformedToken } from './errors.ts';
import { AUDIENCE, ISSUER, newKey, START, session, TestKeys } from './testing-access-tokens.ts';

let shared: TestKeys;
beforeEach(async () => {
  shared = await TestKeys.create();
});

describe('is not good, though well-formed:', () => {
  async function forge(change: {
    header?: Partial<JWTHeaderParameters>;
    payload?: JWTPayload;
    key?: Parameters<SignJWT['sign']>[0];
  }) {
    const { keys } = shared.replica();
    const active = await keys.active();
    const iat = START.getTime() / 1000;
    const claims = {
      ...{ iss: ISSUER, aud: AUDIENCE, sub: session.userId, sid: session.sessionId, jti: 'j' },
      ...{ iat, nbf: iat, exp: iat + 900, roles: ['user'], gen: 1 },
      ...change.payload,
    };
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: active.algorithm, typ: 'at+jwt', kid: active.kid, ...change.header })
      .sign(change.key ?? active.privateKey);
  }

  test('(the forgery that changes nothing is good)', async () => {
    expect(await shared.replica().tokens.verify(await forge({}))).not.toBeNull();
  });

  test('signed by somebody else under our key id', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    expect(await shared.replica().tokens.verify(await forge({ key: privateKey }))).toBeNull();
  });

  test('an HMAC made with our public key', async () => {
    const key = new TextEncoder().encode(JSON.stringify(shared.stored[0]?.publicJwk));
    expect(await shared.replica().tokens.verify(await forge({ header: { alg: 'HS256' }, key }))).toBeNull();
  });

  test('alg none, with and without a signature', async () => {
    const [, payload] = (await forge({})).split('.');
    const header = (alg: string) =>
      Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid: shared.stored[0]?.kid })).toString('base64url');
    expect(await shared.replica().tokens.verify(`${header('none')}.${payload}.`)).toBeNull();
    expect(await shared.replica().tokens.verify(`${header('none')}.${payload}.AAAA`)).toBeNull();
    expect(await shared.replica().tokens.verify(`${header('EdDSA')}.${payload}.`)).toBeNull();
  });

  test.each<[string, Parameters<typeof forge>[0]]>([
    ['another type', { header: { typ: 'JWT' } }],
    ['an unknown key', { header: { kid: 'x' } }],
    ['no key id', { header: { kid: undefined as unknown as string } }],
    ['another issuer', { payload: { iss: 'https://evil.example' } }],
    ['another audience', { payload: { aud: 'others' } }],
    ['no session', { payload: { sid: undefined } }],
    ['a session that is no UUID', { payload: { sid: "' or 1=1" } }],
    ['a user that is no UUID', { payload: { sub: 'admin' } }],
    ['no end', { payload: { exp: undefined } as unknown as JWTPayload }],
    ['roles that are no list', { payload: { roles: 'admin' } }],
    ['no generation', { payload: { gen: undefined } }],
    ['generation 0', { payload: { gen: 0 } }],
    ['half a generation', { payload: { gen: 1.5 } }],
    ['a generation beyond counting', { payload: { gen: 2 ** 53 } }],
    ['a generation that is text', { payload: { gen: '1' } }],
    ['authentication methods that are text', { payload: { amr: 'mfa' } }],
    ['an authentication method that is no text', { payload: { amr: ['pwd', 1] } }],
    ['an assurance level that is no text', { payload: { acr: 2 } }],
    ['a time of authentication that is text', { payload: { auth_time: '1' } }],
    ['a time of authentication between seconds', { payload: { auth_time: 1.5 } }],
  ])('%s', async (_case, change) => {
    expect(await shared.replica().tokens.verify(await forge(change))).toBeNull();
  });

  test('a header that asks for an extension nobody knows', async () => {
    const { keys, tokens } = shared.replica();
    const { kid, privateKey } = await keys.active();
    const [, payload] = (await forge({})).split('.');
    const signed = async (extension: object) => {
      const header = { alg: 'EdDSA', typ: 'at+jwt', kid, ...extension };
      const input = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}`;
      return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
    };
    expect(await tokens.verify(await signed({}))).not.toBeNull();
    expect(await tokens.verify(await signed({ crit: ['ext'], ext: 1 }))).toBeNull();
  });

  test('with any part changed', async () => {
    const { tokens } = shared.replica();
    const { token } = await tokens.issue(session);
    const [header, payload, signature] = token.split('.');
    const claims = { ...decodeJwt(token), roles: ['admin'] };
    const forged = Buffer.from(JSON.stringify(claims)).toString('base64url');
    expect(await tokens.verify(`${header}.${forged}.${signature}`)).toBeNull();
    expect(await tokens.verify(`${header}.${payload}.${'A'.repeat(86)}`)).toBeNull();
  });
});

describe('the key decides on the algorithm, and on nothing else does a token depend:', () => {
  const encode = (value: object | string) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

  /** A token whose header and payload are these texts, signed with the active key as its own algorithm signs. */
  async function signRaw(header: object | string, payload: object | string, encodePayload = true) {
    const { privateKey, algorithm } = await shared.replica().keys.active();
    const body = encodePayload || typeof payload !== 'string' ? encode(payload) : payload;
    const input = `${encode(header)}.${body}`;
    const signature =
      algorithm === 'EdDSA'
        ? sign(null, Buffer.from(input), privateKey)
        : sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }

  const iat = START.getTime() / 1000;
  const claims = {
    ...{ iss: ISSUER, aud: AUDIENCE, sub: session.userId, sid: session.sessionId, jti: 'j' },
    ...{ iat, nbf: iat, exp: iat + 900, roles: ['user'], gen: 1 },
  };
  const header = async (change: object = {}) => {
    const { kid, algorithm } = await shared.replica().keys.active();
    return { alg: algorithm, typ: 'at+jwt', kid, ...change };
  };
  const verify = (token: string) => shared.replica().tokens.verify(token);

  test('(what changes nothing is good)', async () => {
    expect(await verify(await signRaw(await header(), claims))).not.toBeNull();
  });

  test.each(['EdDSA', 'ES256'] as const)(
    'the header names another algorithm than the %s key',
    async (own) => {
      shared.stored = [await newKey(own)];
      for (const alg of [
        'EdDSA',
        'ES256',
        'Ed25519',
        'ES384',
        'PS256',
        'RS256',
        'HS256',
        'none',
        'None',
        'eddsa',
        '',
      ]) {
        const good = alg === own;
        expect([alg, (await verify(await signRaw(await header({ alg }), claims))) !== null]).toEqual([
          alg,
          good,
        ]);
      }
    },
  );

  test('HMACs made with every form of the public key', async () => {
    for (const algorithm of ['EdDSA', 'ES256'] as const) {
      shared.stored = [await newKey(algorithm)];
      const { publicKey, publicJwk } = await shared.replica().keys.active();
      const input = `${encode(await header({ alg: 'HS256' }))}.${encode(claims)}`;
      for (const secret of [
        publicKey.export({ type: 'spki', format: 'pem' }),
        publicKey.export({ type: 'spki', format: 'der' }),
        Buffer.from(publicJwk.x, 'base64url'),
        JSON.stringify(publicJwk),
      ]) {
        const mac = createHmac('sha256', secret).update(input).digest('base64url');
        expect(await verify(`${input}.${mac}`)).toBeNull();
      }
    }
  });

  test("another of our keys' ids on a signature of the active one", async () => {
    shared.stored = [...shared.stored, await newKey('EdDSA', 'next'), await newKey('ES256', 'next')];
    for (const { kid } of shared.stored.slice(1)) {
      expect(await verify(await signRaw(await header({ kid }), claims))).toBeNull();
    }
  });

  test.each([
    ['a path', '../../../../dev/null'],
    ['SQL', "x' union select 'k"],
    ['a command', '| true'],
    ["an object's own members", '__proto__'],
    ['nothing', ''],
    ['a number', 7],
    ['a list', ['k']],
    ['null', null],
  ])('the key id is %s', async (_case, kid) => {
    expect(await verify(await signRaw(await header({ kid }), claims))).toBeNull();
  });

  test('the header brings its own key, or says where to get it', async () => {
    const own = generateKeyPairSync('ed25519');
    const jwk = { ...own.publicKey.export({ format: 'jwk' }), kid: 'own' };
    for (const [kid, change] of [
      ['own', { jwk }],
      [shared.stored[0]?.kid, { jwk }],
      ['own', { jku: 'https://evil.example/jwks.json' }],
      [shared.stored[0]?.kid, { x5u: 'https://evil.example/cert.pem' }],
      [shared.stored[0]?.kid, { x5c: ['MIIB'] }],
    ] as const) {
      const input = `${encode(await header({ kid, ...change }))}.${encode(claims)}`;
      const signature = sign(null, Buffer.from(input), own.privateKey).toString('base64url');
      expect(await verify(`${input}.${signature}`)).toBeNull();
    }
  });

  test('extensions that must be understood', async () => {
    expect(await verify(await signRaw(await header({ crit: [] }), claims))).toBeNull();
    expect(await verify(await signRaw(await header({ crit: ['exp'], exp: 1 }), claims))).toBeNull();
    expect(await verify(await signRaw(await header({ crit: ['b64'], b64: false }), claims))).toBeNull();
    const plain = JSON.stringify(claims).replaceAll('.', '_');
    await expect(
      signRaw(await header({ crit: ['b64'], b64: false }), plain, false).then(verify),
    ).rejects.toThrow(MalformedToken);
  });

  test.each(['JWT', 'at+JWS', 'application/jwt', 'id+jwt', 'logout+jwt', undefined])(
    'a token of another kind: typ %s',
    async (typ) => {
      expect(await verify(await signRaw(await header({ typ }), claims))).toBeNull();
    },
  );

  test('of a claim that is there twice the last one counts (RFC 7519 section 4), so that all readers agree', async () => {
    const twice = `{"sub":"${randomUUID()}",${JSON.stringify(claims).slice(1)}`;
    expect(await verify(await signRaw(await header(), twice))).toMatchObject({ sub: session.userId });
    const spoilt = `${JSON.stringify(claims).slice(0, -1)},"aud":"others"}`;
    expect(await verify(await signRaw(await header(), spoilt))).toBeNull();
  });

  test.each([
    ['several audiences with ours among them', { aud: ['others', AUDIENCE] }, true],
    ['several audiences without ours', { aud: ['others', `${AUDIENCE}2`] }, false],
    ['an issuer that only begins like ours', { iss: `${ISSUER}.evil.example` }, false],
    ['our issuer with a slash', { iss: `${ISSUER}/` }, false],
    ['issuers in a list', { iss: [ISSUER] }, false],
    ['an end within 5 seconds ago', { exp: iat - 4 }, true],
    ['an end 5 seconds ago', { exp: iat - 5 }, false],
    ['a beginning in 5 seconds', { nbf: iat + 5 }, true],
    ['a beginning in 6 seconds', { nbf: iat + 6 }, false],
    ['an end that is text', { exp: String(iat + 900) }, false],
    ['a beginning that is text', { nbf: String(iat) }, false],
    ['no beginning', { nbf: undefined }, false],
    ['no issue', { iat: undefined }, false],
  ])('%s', async (_case, change, good) => {
    const token = await signRaw(await header(), { ...claims, ...change });
    expect((await verify(token)) !== null).toBe(good);
  });

  test.each(['null', '[]', '"text"', '7', 'not json'])('claims that are no object: %s', async (payload) => {
    expect(await verify(await signRaw(await header(), payload))).toBeNull();
  });

  test('an ES256 signature in the other encoding, and of zeros', async () => {
    shared.stored = [await newKey('ES256')];
    const { privateKey } = await shared.replica().keys.active();
    const input = `${encode(await header())}.${encode(claims)}`;
    const der = sign('sha256', Buffer.from(input), privateKey).toString('base64url');
    expect(await verify(`${input}.${der}`)).toBeNull();
    // CVE-2022-21449: r = s = 0 was good for any message.
    expect(await verify(`${input}.${Buffer.alloc(64).toString('base64url')}`)).toBeNull();
  });
});
