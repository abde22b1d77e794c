import { randomBytes } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withTestClient } from '../../../testing/database-admin.ts';
import { SecretUnreadable } from '../domain/errors.ts';
import { verifyTotp } from '../domain/second-factors/verify-totp.ts';
import { SecretBox } from '../domain/secret-box.ts';
import { SigningKeys } from '../domain/signing-keys.ts';
import { createTotpSecret, hotp, totpStep } from '../domain/totp.ts';
import type { Uuid } from '../domain/uuid.ts';
import { OutgoingMailRepository } from './outgoing-mail-repository.ts';
import { SecretRekeying, type UnreadableSecret } from './secret-rekeying.ts';
import { SigningKeyRepository } from './signing-key-repository.ts';
import { query } from './sql.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TotpAuthenticatorRepository } from './totp-authenticator-repository.ts';

const OLD = { id: 'k1', key: randomBytes(32) };
const NEW = { id: 'k2', key: randomBytes(32) };
/** Before the keys change, while they do, and once the old one is gone. */
const before = SecretBox.fromKeys(OLD);
const during = SecretBox.fromKeys(NEW, [OLD]);
const after = SecretBox.fromKeys(NEW);

let db: TestOrm;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows(
    'truncate user_service.users, user_service.signing_keys, user_service.outgoing_mails cascade',
  );
});

interface Owner {
  readonly userId: Uuid;
  readonly secret: Buffer;
}

/** Users, each with an authenticator app in force. */
async function addOwners(count: number, box = before): Promise<Owner[]> {
  const owners = Array.from({ length: count }, () => ({
    userId: uuidV7() as Uuid,
    secret: createTotpSecret(),
  }));
  await db.rows(
    `insert into user_service.users (id, email, email_normalized, roles, created_at, updated_at, version)
     select id, id || '@example.com', id || '@example.com', '{user}', now(), now(), 1 from unnest($1::uuid[]) id`,
    [owners.map(({ userId }) => userId)],
  );
  const now = new Date();
  await db.orm.em.fork().transactional(async (em) => {
    const apps = new TotpAuthenticatorRepository(em, box);
    for (const { userId, secret } of owners) {
      const id = uuidV7() as Uuid;
      const expiresAt = new Date(now.getTime() + 600_000);
      await apps.putPending({ id, userId, secret, createdAt: now, expiresAt });
      await apps.confirm({ id, userId, step: 1, at: now });
    }
  });
  return owners;
}

const verify = ({ userId, secret }: Owner, box: SecretBox, at = new Date()) =>
  db.orm.em
    .fork()
    .transactional((em) =>
      verifyTotp(
        { totpAuthenticators: new TotpAuthenticatorRepository(em, box) },
        { userId, code: hotp(secret, totpStep(at)), at },
      ),
    );

function signingKeys(box: SecretBox): SigningKeys {
  return new SigningKeys({
    store: new SigningKeyRepository(db.orm.em),
    secretBox: box,
    onUnreadable: (_kid, error) => {
      throw error;
    },
  });
}

const mails = (box: SecretBox) => new OutgoingMailRepository(db.orm.em, box, true);

async function addMail(): Promise<void> {
  const at = new Date();
  await mails(before).add({
    ...{ userId: uuidV7() as Uuid, to: 'ada@example.com', message: { template: 'password_changed', at } },
    ...{ createdAt: at, expiresAt: new Date(at.getTime() + 60_000) },
  });
}

function rekeying(): { readonly secrets: SecretRekeying; readonly unreadable: UnreadableSecret[] } {
  const unreadable: UnreadableSecret[] = [];
  const secrets = new SecretRekeying(db.orm.em, during, (secret, error) => {
    expect(error).toBeInstanceOf(SecretUnreadable);
    unreadable.push(secret);
  });
  return { secrets, unreadable };
}

const NONE = { totp_authenticators: 0, signing_keys: 0, outgoing_mails: 0 };

test('seals every secret with the key of today, so that the old one can go', async () => {
  const [owner] = await addOwners(1);
  if (owner === undefined) throw new Error('no owner');
  const { kid } = await signingKeys(before).active();
  await addMail();
  const { secrets, unreadable } = rekeying();
  expect(await secrets.remaining()).toEqual({ totp_authenticators: 1, signing_keys: 1, outgoing_mails: 1 });
  await expect(verify(owner, after)).rejects.toBeInstanceOf(SecretUnreadable);
  await expect(signingKeys(after).active()).rejects.toBeInstanceOf(SecretUnreadable);

  expect(await secrets.rekey(1000)).toBe(3);
  expect([await secrets.remaining(), unreadable]).toEqual([NONE, []]);
  expect(await verify(owner, after)).toBe(true);
  expect((await signingKeys(after).active()).kid).toBe(kid);
  const at = new Date();
  const claimed = await mails(after).claim({ at, leaseUntil: at, most: 10 });
  expect(claimed).toMatchObject([{ kind: 'mail', to: 'ada@example.com' }]);
  expect(await secrets.rekey(1000)).toBe(0);
});

test('seals as many as it is asked to, and goes on from there', async () => {
  await addOwners(250);
  const { secrets } = rekeying();
  expect(await secrets.rekey(120)).toBe(120);
  expect((await secrets.remaining()).totp_authenticators).toBe(130);
  expect(await secrets.rekey(120)).toBe(120);
  expect(await secrets.rekey(120)).toBe(10);
  expect(await secrets.remaining()).toEqual(NONE);
});

test('finds what is sealed with any other key, whatever its name', async () => {
  const names = ['0', 'K2', 'k', 'k2-old', 'z', 'ä'];
  const keys = names.map((id) => ({ id, key: randomBytes(32) }));
  for (const key of keys) await addOwners(2, SecretBox.fromKeys(key));
  await addOwners(1, after);
  const secrets = new SecretRekeying(db.orm.em, SecretBox.fromKeys(NEW, keys), (_secret, error) => {
    throw error;
  });
  expect((await secrets.remaining()).totp_authenticators).toBe(12);
  expect(await secrets.rekey(5)).toBe(5);
  expect(await secrets.rekey(100)).toBe(7);
  expect(await secrets.remaining()).toEqual(NONE);
});

describe('a secret that does not open', () => {
  test('is told of and left as it is, and the others are sealed', async () => {
    await addOwners(150);
    const broken = await db.rows(
      `update user_service.totp_authenticators set secret = set_byte(secret, 30, get_byte(secret, 30) # 1)
       where id in (select id from user_service.totp_authenticators order by id limit 110) returning id, secret`,
    );
    const { secrets, unreadable } = rekeying();
    // More of them than are read at once, and before all others.
    expect(await secrets.rekey(40)).toBe(40);
    expect(unreadable).toHaveLength(110);
    expect(unreadable[0]).toEqual({ table: 'totp_authenticators', id: broken[0]?.['id'], keyId: 'k1' });
    expect(await secrets.remaining()).toMatchObject({ totp_authenticators: 110 });
    const left = `select id, secret from user_service.totp_authenticators where secret_key_id = 'k1' order by id`;
    expect(await db.rows(left)).toEqual(broken.sort((a, b) => (String(a['id']) < String(b['id']) ? -1 : 1)));
  });

  test('is not told of again until all others were looked at', async () => {
    await addOwners(30);
    await db.rows(`update user_service.totp_authenticators set secret = '' where id in (
      select id from user_service.totp_authenticators order by id limit 10)`);
    const { secrets, unreadable } = rekeying();
    expect(await secrets.rekey(15)).toBe(15);
    expect(await secrets.rekey(15)).toBe(5);
    expect(unreadable).toHaveLength(10);
    expect(await secrets.rekey(15)).toBe(0);
    expect(unreadable).toHaveLength(20);
  });

  test('is one that was swapped with another user’s', async () => {
    const owners = await addOwners(2);
    await db.rows(
      `update user_service.totp_authenticators t set secret = o.secret
       from user_service.totp_authenticators o where o.user_id <> t.user_id`,
    );
    const { secrets, unreadable } = rekeying();
    expect(await secrets.rekey(10)).toBe(0);
    expect(unreadable).toHaveLength(2);
    for (const owner of owners) await expect(verify(owner, during)).rejects.toBeInstanceOf(SecretUnreadable);
  });
});

test('leaves what somebody holds for another time, and waits for nobody', async () => {
  const [held] = await addOwners(20);
  const { secrets } = rekeying();
  await withTestClient(db.url, async (client) => {
    await client.query('begin');
    await client.query('update user_service.totp_authenticators set last_step = 2 where user_id = $1', [
      held?.userId,
    ]);
    expect(await secrets.rekey(100)).toBe(19);
    await client.query('commit');
  });
  expect(await secrets.rekey(100)).toBe(1);
});

test('never writes over a secret that was replaced meanwhile', async () => {
  const owners = await addOwners(40);
  const { secrets } = rekeying();
  // By a process that does not seal with the new key yet, so that there is always something to do.
  const replace = async ({ userId }: Owner): Promise<Owner> => {
    const secret = createTotpSecret();
    const { keyId, ciphertext } = before.seal(secret, { purpose: 'totp', owner: userId });
    await query(
      db.orm.em.fork(),
      'update user_service.totp_authenticators set secret = ?, secret_key_id = ? where user_id = ?',
      [ciphertext, keyId, userId],
    );
    return { userId, secret };
  };
  const apps = new TotpAuthenticatorRepository(db.orm.em.fork(), during);
  let resealed = 0;
  for (let round = 0; round < 25; round++) {
    const rekeyed = secrets.rekey(40);
    const replaced = await Promise.all(owners.map(replace));
    resealed += await rekeyed;
    for (const { userId, secret } of replaced) {
      expect((await apps.findConfirmed(userId))?.secret).toEqual(secret);
    }
  }
  expect(resealed).toBeGreaterThan(0);
});

test('disturbs nobody: while 400 users verify codes, each is good once, before and after', async () => {
  const owners = await addOwners(400);
  const { secrets, unreadable } = rekeying();
  const start = Date.now();
  let resealed = 0;
  const rekeyed = (async () => {
    // Small steps, so that they are spread over the verifications.
    for (let count = 1; count > 0 || (await secrets.remaining()).totp_authenticators > 0; resealed += count) {
      count = await secrets.rekey(10);
    }
  })();
  for (let round = 0; round < 3; round++) {
    const at = new Date(start + round * 30_000);
    const results = await Promise.all(
      owners.flatMap((owner) => [verify(owner, during, at), verify(owner, during, at)]),
    );
    expect(results.filter((accepted) => accepted)).toHaveLength(owners.length);
  }
  await rekeyed;
  expect([resealed, unreadable, await secrets.remaining()]).toEqual([400, [], NONE]);
  const at = new Date(start + 90_000);
  const results = await Promise.all(owners.map((owner) => verify(owner, after, at)));
  expect(results).toEqual(owners.map(() => true));
});
