import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { LastAdmin } from '../../domain/errors.ts';
import type { User } from '../../domain/user.ts';
import { deleteUser } from '../../domain/users/delete-user.ts';
import { suspendUser } from '../../domain/users/suspend-user.ts';
import { updateRoles } from '../../domain/users/update-roles.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { change, TestUsers } from './testing-users.ts';

let db: TestOrm;
let users: TestUsers;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.users, user_service.security_events cascade');
  users = new TestUsers(db);
});

const REMOVALS: ((user: User) => Promise<User>)[] = [
  (user) => deleteUser(users, change(user)),
  (user) => suspendUser(users, change(user)),
  (user) => updateRoles(users, change(user), ['user']),
];

const activeAdmins = () =>
  db.rows(`select id from user_service.users where status = 'active' and 'admin' = any(roles)`);

test('of two admins who remove each other at the same time one stays, in each of 60 rounds', async () => {
  for (let round = 0; round < 60; round += 1) {
    await db.rows('truncate user_service.users cascade');
    const pair = await Promise.all(
      ['a', 'b'].map((name) => users.create(`${name}@example.com`, { roles: ['admin', 'user'] })),
    );
    const results = await Promise.allSettled(
      pair.map((admin, index) =>
        REMOVALS[(round + index * Math.floor(round / 3)) % REMOVALS.length]?.(admin),
      ),
    );
    expect(await activeAdmins()).toHaveLength(1);
    const refusals = results.filter((settled) => settled.status === 'rejected');
    expect(refusals.map(({ reason }) => reason.name)).toEqual([new LastAdmin().name]);
  }
});

test('of ten admins who are all removed at once, while others come, never are there none', async () => {
  for (let round = 0; round < 10; round += 1) {
    await db.rows('truncate user_service.users cascade');
    const admins = await Promise.all(
      Array.from({ length: 10 }, (_, index) => users.create(`a${index}@example.com`, { roles: ['admin'] })),
    );
    const rising = await users.create('rising@example.com');
    const results = await Promise.allSettled([
      ...admins.map((admin, index) => REMOVALS[index % REMOVALS.length]?.(admin)),
      updateRoles(users, change(rising), ['admin']),
      updateRoles(users, change(rising), ['user']),
      deleteUser(users, change(rising)),
    ]);
    expect((await activeAdmins()).length).toBeGreaterThanOrEqual(1);
    for (const result of results.filter((settled) => settled.status === 'rejected')) {
      expect([LastAdmin.name, 'UserNotFound']).toContain(result.reason.name);
    }
  }
});
