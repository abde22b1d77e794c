import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AccessTokens } from '../domain/access-token.ts';
import { authenticationContext } from '../domain/authentication-context.ts';
import { SecretUnreadable } from '../domain/errors.ts';
import { SecretBox } from '../domain/secret-box.ts';
import { generateSigningKey } from '../domain/signing-key.ts';
import { SigningKeys } from '../domain/signing-keys.ts';
import { SigningKeyRepository } from './signing-key-repository.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const KEY = { id: 'k1', key: randomBytes(32) };

let db: TestOrm;
let unreadable: string[];
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.signing_keys');
  unreadable = [];
});

function replica(secretBox = SecretBox.fromKeys(KEY)) {
  return new SigningKeys({
    store: new SigningKeyRepository(db.orm.em),
    secretBox,
    onUnreadable: (kid) => unreadable.push(kid),
    reloadIntervalMs: 0,
  });
}

const tokensOf = (keys: SigningKeys) =>
  new AccessTokens({ keys, issuer: 'https://identity.example', audience: 'optix' });
const session = {
  ...{ userId: crypto.randomUUID(), sessionId: crypto.randomUUID() },
  ...{ roles: ['user'], generation: 1 },
  authentication: authenticationContext(['pwd'], new Date()),
};

test('the first one that needs a key makes it, its private part sealed', async () => {
  const { kid, privateKey } = await replica().active();
  const [row, ...others] = await db.rows('select * from user_service.signing_keys');
  expect(others).toEqual([]);
  expect(row).toMatchObject({
    kid,
    status: 'active',
    algorithm: 'EdDSA',
    private_key_key_id: 'k1',
    retired_at: null,
  });
  const secret = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  expect(secret).toHaveLength(32);
  expect(Buffer.from(row?.['private_key'] as Uint8Array).includes(secret)).toBe(false);
  expect(JSON.stringify(row?.['public_jwk'])).not.toContain('"d"');
});

test('replicas that start at once agree on one key, and verify each other', async () => {
  const replicas = Array.from({ length: 8 }, () => replica());
  const keys = await Promise.all(replicas.map((each) => each.active()));
  expect(new Set(keys.map(({ kid }) => kid)).size).toBe(1);
  expect(await db.rows('select 1 from user_service.signing_keys')).toHaveLength(1);
  const { token } = await tokensOf(replica()).issue(session);
  expect(await tokensOf(replica()).verify(token)).not.toBeNull();
});

test('the key is the same after a restart', async () => {
  const { kid } = await replica().active();
  expect((await replica().active()).kid).toBe(kid);
});

test('a retired key verifies and is published, and signs no more', async () => {
  const { token } = await tokensOf(replica()).issue(session);
  await db.rows(`update user_service.signing_keys set status = 'retired', retired_at = now()`);
  const later = replica();
  const { kid } = await later.active();
  expect(await tokensOf(later).verify(token)).not.toBeNull();
  const { keys } = await later.jwks();
  expect(keys).toHaveLength(2);
  expect(keys.at(-1)).toEqual({
    kty: 'OKP',
    crv: 'Ed25519',
    x: expect.any(String),
    kid,
    alg: 'EdDSA',
    use: 'sig',
  });
});

test('a running replica finds the key that another has made meanwhile', async () => {
  const running = tokensOf(replica());
  await running.prepare();
  await db.rows(`update user_service.signing_keys set status = 'retired', retired_at = now()`);
  const { token } = await tokensOf(replica()).issue(session);
  expect(await running.verify(token)).not.toBeNull();
});

describe('a row that was tampered with neither signs nor verifies:', () => {
  test.each([
    [
      'a byte of the private part',
      'update user_service.signing_keys set private_key = set_byte(private_key, 40, get_byte(private_key, 40) # 1)',
    ],
    [
      'the private part cut short',
      'update user_service.signing_keys set private_key = substr(private_key, 1, 20)',
    ],
    ['the id of the sealing key', `update user_service.signing_keys set private_key_key_id = 'k2'`],
    ['the key id', `update user_service.signing_keys set kid = 'mine'`],
    [
      'the public part',
      `update user_service.signing_keys set public_jwk = jsonb_set(public_jwk, '{x}', '"mine"')`,
    ],
  ])('%s', async (_case, change) => {
    const { token } = await tokensOf(replica()).issue(session);
    await db.rows(change);
    const later = replica();
    await expect(later.active()).rejects.toThrow(SecretUnreadable);
    expect(unreadable.length).toBeGreaterThan(0);
    expect(await tokensOf(later).verify(token)).toBeNull();
    expect(await later.jwks()).toEqual({ keys: [] });
    // It is for people to repair: a new key would hide what has happened.
    expect(await db.rows('select 1 from user_service.signing_keys')).toHaveLength(1);
  });

  test('a key of somebody who can write to the table, but has not the sealing key', async () => {
    const foreign = await generateSigningKey(SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) }), {
      algorithm: 'EdDSA',
      status: 'active',
      at: new Date(),
    });
    await new SigningKeyRepository(db.orm.em).insert(foreign);
    await expect(replica().active()).rejects.toThrow(SecretUnreadable);
  });

  test('the private part of another row', async () => {
    await replica().active();
    await db.rows(`update user_service.signing_keys set status = 'retired', retired_at = now()`);
    const { kid } = await replica().active();
    await db.rows(
      `update user_service.signing_keys set private_key =
         (select private_key from user_service.signing_keys where status = 'retired') where kid = $1`,
      [kid],
    );
    const later = replica();
    await expect(later.active()).rejects.toThrow(SecretUnreadable);
    expect((await later.jwks()).keys).toHaveLength(1);
  });
});

test('keys sealed before the sealing key was changed still open', async () => {
  const { kid } = await replica().active();
  const rotated = SecretBox.fromKeys({ id: 'k2', key: randomBytes(32) }, [KEY]);
  expect((await replica(rotated).active()).kid).toBe(kid);
});
