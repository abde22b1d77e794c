import { raw } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { query } from './sql.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TotpAuthenticatorEntity } from './totp-authenticator.entity.ts';
import { UserEntity } from './user.entity.ts';

let db: TestOrm;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());

const HOSTILE = `'; drop table x; -- \\' ? ?? $1 \u{1f511}`;

test('texts arrive as they are, whatever they contain', async () => {
  expect(await query(db.orm.em, 'select ?::text as a, ?::text as b', [HOSTILE, '\\'])).toEqual([
    { a: HOSTILE, b: '\\' },
  ]);
});

test('values are beside the statement, not in it', async () => {
  const [row] = await query<{ query: string }>(
    db.orm.em,
    'select query from pg_stat_activity where pid = pg_backend_pid() and ?::text is not null',
    ['a secret'],
  );
  expect(row?.query).toContain('$1::text');
  expect(row?.query).not.toContain('a secret');
});

test('every kind of value', async () => {
  const at = new Date('2026-01-02T03:04:05.678Z');
  const [row] = await query(
    db.orm.em,
    `select ?::uuid as id, ?::bytea as bytes, ?::timestamptz = '2026-01-02 03:04:05.678+00' as at, ?::jsonb as json,
       ? + 1 as number, ?::bigint as big, ? as yes, ?::text as nothing, 'a' in (?) as listed, '{"a":1}'::jsonb \\? 'a' as has`,
    [
      '019b0000-0000-7000-8000-000000000000',
      new Uint8Array([0, 1, 255]),
      at,
      { a: ["it's"] },
      41,
      2n ** 60n,
      true,
      null,
      ['a', 'b'],
    ],
  );
  expect(row).toEqual({
    id: '019b0000-0000-7000-8000-000000000000',
    bytes: Buffer.from([0, 1, 255]),
    at: true,
    json: { a: ["it's"] },
    number: 42,
    big: String(2n ** 60n),
    yes: true,
    nothing: null,
    listed: true,
    has: true,
  });
});

test('NUL is refused by the server, and the connection lives on', async () => {
  await expect(query(db.orm.em, 'select ?::text', ['a\0b'])).rejects.toMatchObject({ sqlState: '22021' });
  expect(await query(db.orm.em, 'select ?::text as a', ['b'])).toEqual([{ a: 'b' }]);
});

test("MikroORM's own queries go through it: insert, find, update, batches, raw parts", async () => {
  const em = db.orm.em.fork();
  const at = new Date('2026-01-02T03:04:05.678Z');
  const ids = [1, 2, 3].map((n) => `019b0000-0000-7000-8000-00000000000${n}`);
  for (const [index, id] of ids.entries()) {
    em.create(
      UserEntity,
      {
        id,
        email: `${index}@example.com`,
        emailNormalized: `${index}@example.com`,
        firstName: HOSTILE,
        roles: ['user', 'trial'],
        createdAt: at,
        updatedAt: at,
      },
      { persist: true },
    );
    em.create(
      TotpAuthenticatorEntity,
      { id, userId: id, secret: Buffer.from([index]), secretKeyId: 'k1', createdAt: at, expiresAt: at },
      { persist: true },
    );
  }
  await em.flush();
  em.clear();
  const users = await em.find(UserEntity, { id: { $in: ids } }, { orderBy: { id: 'asc' } });
  expect(users).toMatchObject(
    ids.map((id) => ({
      id,
      firstName: HOSTILE,
      roles: ['user', 'trial'],
      createdAt: at,
      version: 1,
    })),
  );
  const authenticators = await em.find(TotpAuthenticatorEntity, {}, { orderBy: { id: 'asc' } });
  expect(authenticators.map(({ secret }) => secret)).toEqual(ids.map((_, index) => Buffer.from([index])));
  for (const [index, user] of users.entries()) {
    user.lastName = `${HOSTILE}${index}`;
    user.lastLoginAt = at;
    user.failedLoginAttempts = index;
  }
  await em.flush();
  em.clear();
  const changed = await em.find(
    UserEntity,
    { [raw('lower(first_name) = lower(?)', [HOSTILE])]: [] },
    { orderBy: { id: 'asc' } },
  );
  expect(changed).toMatchObject(
    ids.map((id, index) => ({
      id,
      lastName: `${HOSTILE}${index}`,
      lastLoginAt: at,
      failedLoginAttempts: index,
      version: 2,
    })),
  );
});
