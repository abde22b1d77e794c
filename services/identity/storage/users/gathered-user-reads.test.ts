import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DatabaseUnavailable } from '../../domain/errors.ts';
import type { UserReads } from '../../domain/reads.ts';
import { deleteUser } from '../../domain/users/delete-user.ts';
import { suspendUser } from '../../domain/users/suspend-user.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { GatheredUserReads } from './gathered-user-reads.ts';
import { change, TestUsers } from './testing-users.ts';

const NOBODY = '0193b9a0-0000-7000-8000-000000000001' as Uuid;

let db: TestOrm;
let users: TestUsers;
let statements: number;
let reads: GatheredUserReads;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.users cascade');
  users = new TestUsers(db);
  statements = 0;
  const repository = users.identity.users;
  const counted: UserReads = {
    findById: (...args) => {
      statements += 1;
      return repository.findById(...args);
    },
    findByEmail: (email) => repository.findByEmail(email),
    findMany: (...args) => {
      statements += 1;
      return repository.findMany(...args);
    },
  };
  reads = new GatheredUserReads(counted);
});

test('lookups of one turn share a statement, and each gets its own user', async () => {
  const [a, b, gone] = await Promise.all(['a', 'b', 'c'].map((name) => users.create(`${name}@example.com`)));
  if (a === undefined || b === undefined || gone === undefined) throw new Error('users were not created');
  const deleted = await deleteUser(users, change(gone));
  const found = await Promise.all([
    reads.findById(b.id),
    reads.findById(a.id),
    reads.findById(NOBODY),
    reads.findById(gone.id),
    reads.findById(gone.id, true),
    reads.findById(b.id, true),
  ]);
  expect(found).toEqual([b, a, null, null, deleted, b]);
  expect(statements).toBe(1);
});

test('500 of them take three statements', async () => {
  const user = await users.create('a@example.com');
  await Promise.all(Array.from({ length: 500 }, () => reads.findById(user.id)));
  expect(statements).toBe(3);
});

test('a lookup sees what was written before it was asked for', async () => {
  const user = await users.create('a@example.com');
  const early = reads.findById(user.id);
  const suspended = await suspendUser(users, change(user));
  expect(await reads.findById(user.id)).toEqual(suspended);
  expect((await early)?.id).toBe(user.id);
});

test('a statement that fails is told to all who wait for it', async () => {
  const failing = new GatheredUserReads({
    findById: () => Promise.reject(new DatabaseUnavailable()),
    findByEmail: () => Promise.reject(new DatabaseUnavailable()),
    findMany: () => Promise.reject(new DatabaseUnavailable()),
  });
  const results = await Promise.allSettled([failing.findById(NOBODY), failing.findById(NOBODY)]);
  for (const result of results) expect(result).toMatchObject({ status: 'rejected' });
});
