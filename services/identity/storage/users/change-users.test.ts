import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseEmail } from '../../domain/email.ts';
import {
  EmailAlreadyRegistered,
  EtagMismatch,
  LastAdmin,
  PasswordRefused,
  RequestIdReused,
  UserNotDeleted,
  UserNotFound,
} from '../../domain/errors.ts';
import { parsePersonName } from '../../domain/person-name.ts';
import type { UserChange } from '../../domain/users/change-user.ts';
import { deleteUser } from '../../domain/users/delete-user.ts';
import { reactivateUser } from '../../domain/users/reactivate-user.ts';
import { suspendUser } from '../../domain/users/suspend-user.ts';
import { undeleteUser } from '../../domain/users/undelete-user.ts';
import { unlockUser } from '../../domain/users/unlock-user.ts';
import { updateProfile } from '../../domain/users/update-profile.ts';
import { updateRoles } from '../../domain/users/update-roles.ts';
import type { ProfileChanges } from '../../domain/users.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { read } from '../testing-identity.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { change, etag, requestKey, TestUsers } from './testing-users.ts';

const NOBODY = '0193b9a0-0000-7000-8000-000000000001' as Uuid;

let db: TestOrm;
let users: TestUsers;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows(
    `truncate user_service.users, user_service.security_events, user_service.answered_requests,
       user_service.outgoing_mails, user_service.revocations cascade`,
  );
  users = new TestUsers(db);
});

const email = (text: string) => ({ email: read(parseEmail(text)) });
const firstName = (text: string) => ({ firstName: read(parsePersonName(text)) });
const liveSessions = (id: Uuid) =>
  db.rows('select 1 from user_service.sessions_history where user_id = $1 and terminated_at is null', [id]);
const openTokens = (id: Uuid) =>
  db.rows('select 1 from user_service.one_time_tokens where user_id = $1 and used_at is null', [id]);

describe('CreateUser', () => {
  test('writes the account, and its event with who asked for it', async () => {
    const user = await users.create('Ada@Example.com', { roles: ['admin', 'user'], emailVerified: true });
    expect(await users.find(user.id)).toEqual(user);
    expect(user).toMatchObject({ email: 'Ada@Example.com', roles: ['admin', 'user'], hasPassword: false });
    expect(user.emailVerifiedAt).toEqual(user.createdAt);
    expect(await db.rows('select * from user_service.security_events')).toMatchObject([
      {
        event_type: 'user_created',
        user_id: user.id,
        metadata: { caller: 'console', actor: 'op-7', reason: 'asked by phone', roles: ['admin', 'user'] },
      },
    ]);
  });

  test('stores a password as its hash', async () => {
    const user = await users.create('ada@example.com', { password: 'correct horse battery' });
    expect(user.hasPassword).toBe(true);
    expect(await db.rows('select password_hash from user_service.users')).toMatchObject([
      { password_hash: expect.stringMatching(/^\$argon2id\$/) },
    ]);
  });

  test('refuses a password that the policy refuses, and writes nothing', async () => {
    const creating = users.create('ada@example.com', { password: 'ada@example.com' });
    await expect(creating).rejects.toThrow(PasswordRefused);
    await expect(creating).rejects.toMatchObject({ field: 'password' });
    expect(await db.rows('select 1 from user_service.users')).toEqual([]);
  });

  test('of 50 with one request id at once, one adds, and all get the same answer', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => users.create('ada@example.com', { requestKey: requestKey('a') })),
    );
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(await db.rows('select 1 from user_service.security_events')).toHaveLength(1);
    const other = users.create('eve@example.com', { requestKey: requestKey('a', 'other') });
    await expect(other).rejects.toThrow(RequestIdReused);
  });
});

/** By somebody who may make admins. */
const update = (who: UserChange, changes: ProfileChanges) =>
  updateProfile(users, who, changes, () => undefined);

describe('UpdateUser', () => {
  test('changes what is named, and nothing else', async () => {
    const user = await users.create('ada@example.com');
    users.identity.ahead = 60_000;
    const updated = await update(change(user), { ...firstName('Augusta'), phone: null });
    expect(updated).toEqual({
      ...user,
      firstName: 'Augusta',
      phone: null,
      version: 2,
      updatedAt: updated.updatedAt,
    });
    expect(updated.updatedAt.getTime()).toBeGreaterThan(user.updatedAt.getTime() + 59_000);
    expect(await users.events(user.id)).toMatchObject([
      { event_type: 'user_updated', metadata: { fields: ['first_name', 'phone'], actor: 'op-7' } },
    ]);
  });

  test('another address is unverified, told to the old one, and ends mailed tokens', async () => {
    const user = await users.create('ada@example.com', { emailVerified: true });
    await users.openSession(user.id);
    const updated = await update(change(user), email('countess@example.com'));
    expect(updated).toMatchObject({ email: 'countess@example.com', emailVerifiedAt: null });
    expect(await openTokens(user.id)).toEqual([]);
    expect(await db.rows('select user_id from user_service.outgoing_mails')).toEqual([{ user_id: user.id }]);
    const events = JSON.stringify(await users.events(user.id));
    expect(events).toContain('user_updated');
    expect(events).not.toContain('@example.com');
    expect(await users.create('ada@example.com')).toMatchObject({ email: 'ada@example.com' });
  });

  test('an address in another case is the same one', async () => {
    const user = await users.create('ada@example.com', { emailVerified: true });
    await users.openSession(user.id);
    const updated = await update(change(user), email('Ada@Example.com'));
    expect(updated).toMatchObject({ email: 'Ada@Example.com', emailVerifiedAt: user.emailVerifiedAt });
    expect(await openTokens(user.id)).toHaveLength(1);
    expect(await db.rows('select 1 from user_service.outgoing_mails')).toEqual([]);
  });

  test('where nothing differs, nothing is written', async () => {
    const user = await users.create('ada@example.com');
    expect(await update(change(user), { ...email('ada@example.com'), ...firstName('Ada') })).toEqual(user);
    expect(await users.events(user.id)).toEqual([]);
  });

  test('an address that somebody has is refused, and nothing is changed', async () => {
    const user = await users.create('ada@example.com');
    await users.create('eve@example.com');
    const updating = update(change(user), { ...email('EVE@example.com'), ...firstName('Eve') });
    await expect(updating).rejects.toThrow(EmailAlreadyRegistered);
    expect(await users.find(user.id)).toEqual(user);
    expect(await users.events(user.id)).toEqual([]);
  });

  test('of 20 who change one state at once, one does', async () => {
    const user = await users.create('ada@example.com');
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => update(change(user, etag(user)), firstName(`Ada ${index}`))),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results.filter((settled) => settled.status === 'rejected')) {
      expect(result.reason).toBeInstanceOf(EtagMismatch);
    }
    expect(await users.find(user.id)).toMatchObject({ version: 2 });
  });

  test('without an etag all of them do, one after the other', async () => {
    const user = await users.create('ada@example.com');
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => update(change(user), firstName(`Ada ${index}`))),
    );
    expect(await users.find(user.id)).toMatchObject({ version: 21 });
    expect(await users.events(user.id)).toHaveLength(20);
  });
});

describe('DeleteUser and UndeleteUser', () => {
  test('shuts out, and frees the address', async () => {
    const user = await users.create('ada@example.com');
    const sessionId = await users.openSession(user.id);
    const deleted = await deleteUser(users, change(user));
    expect(deleted).toMatchObject({ status: 'deleted', version: 2, tokenGeneration: 2 });
    expect(deleted.deletedAt).toEqual(deleted.updatedAt);
    expect(await users.identity.users.findById(user.id)).toBeNull();
    expect(await users.identity.users.findByEmail('ada@example.com')).toBeNull();
    expect(await liveSessions(user.id)).toEqual([]);
    expect(await openTokens(user.id)).toEqual([]);
    expect(users.identity.revoked).toMatchObject([
      { kind: 'session', sessionId, userId: user.id, reason: 'user_deleted' },
      { kind: 'user', userId: user.id, generation: 2, reason: 'user_deleted' },
    ]);
    expect(await users.events(user.id)).toMatchObject([
      {
        event_type: 'user_deleted',
        metadata: { caller: 'console', actor: 'op-7', reason: 'asked by phone' },
      },
    ]);
    await users.create('ada@example.com');
  });

  test('restores the status from before, with a new generation of tokens', async () => {
    const user = await users.create('ada@example.com');
    await suspendUser(users, change(user));
    await deleteUser(users, change(user));
    const restored = await undeleteUser(users, change(user));
    expect(restored).toMatchObject({ status: 'suspended', deletedAt: null, version: 4, tokenGeneration: 3 });
    expect(await users.identity.users.findById(user.id)).toEqual(restored);
  });

  test('restores nobody whose address was taken meanwhile', async () => {
    const user = await users.create('ada@example.com');
    const deleted = await deleteUser(users, change(user));
    await users.create('ADA@example.com');
    await expect(undeleteUser(users, change(user))).rejects.toThrow(EmailAlreadyRegistered);
    expect(await users.find(user.id)).toEqual(deleted);
  });

  test('only deleted users are restored, and only others are changed', async () => {
    const user = await users.create('ada@example.com');
    await expect(undeleteUser(users, change(user))).rejects.toThrow(UserNotDeleted);
    await deleteUser(users, change(user));
    for (const work of [deleteUser, suspendUser, reactivateUser, unlockUser]) {
      await expect(work(users, change(user))).rejects.toThrow(UserNotFound);
      await expect(work(users, change(NOBODY))).rejects.toThrow(UserNotFound);
    }
    await expect(undeleteUser(users, change(NOBODY))).rejects.toThrow(UserNotFound);
  });

  test('asked again with the same id, answers what it answered, though the user is gone', async () => {
    const user = await users.create('ada@example.com');
    const asked = change(user, { requestKey: requestKey('a'), ...etag(user) });
    const first = await deleteUser(users, asked);
    expect(await deleteUser(users, asked)).toEqual(first);
    expect(await users.events(user.id)).toHaveLength(1);
  });
});

describe('SuspendUser and ReactivateUser', () => {
  test('shuts out and lets in again; twice is once', async () => {
    const user = await users.create('ada@example.com');
    await users.openSession(user.id);
    const suspended = await suspendUser(users, change(user));
    expect(suspended).toMatchObject({ status: 'suspended', version: 2, tokenGeneration: 2 });
    expect(await liveSessions(user.id)).toEqual([]);
    expect(users.identity.revoked.at(-1)).toMatchObject({ kind: 'user', generation: 2 });
    expect(await suspendUser(users, change(user))).toEqual(suspended);

    const active = await reactivateUser(users, change(user));
    expect(active).toMatchObject({ status: 'active', version: 3, tokenGeneration: 2 });
    expect(await reactivateUser(users, change(user))).toEqual(active);
    expect(await users.events(user.id)).toMatchObject([
      { event_type: 'user_suspended' },
      { event_type: 'user_reactivated', metadata: { from: 'suspended' } },
    ]);
  });

  test('an etag of another state changes nothing', async () => {
    const user = await users.create('ada@example.com');
    await suspendUser(users, change(user));
    await expect(reactivateUser(users, change(user, etag(user)))).rejects.toThrow(EtagMismatch);
    await expect(deleteUser(users, change(user, { etag: 'made up' }))).rejects.toThrow(EtagMismatch);
    expect(await users.find(user.id)).toMatchObject({ status: 'suspended' });
  });
});

describe('UnlockUser', () => {
  test('ends a lockout and forgets the failures', async () => {
    const user = await users.create('ada@example.com');
    await db.rows(
      `update user_service.users set failed_login_attempts = 7, last_login_failure_at = now(),
         locked_until = now() + interval '1 hour'`,
    );
    expect((await users.find(user.id)).lockedUntil).not.toBeNull();
    const unlocked = await unlockUser(users, change(user));
    expect(unlocked).toMatchObject({ lockedUntil: null, version: 2 });
    expect(
      await db.rows('select failed_login_attempts, last_login_failure_at from user_service.users'),
    ).toEqual([{ failed_login_attempts: 0, last_login_failure_at: null }]);
    expect(await unlockUser(users, change(user))).toEqual(unlocked);
    expect(await users.events(user.id)).toMatchObject([{ event_type: 'user_unlocked' }]);
  });
});

describe('UpdateUserRoles', () => {
  test('replaces them, and revokes access tokens with the old ones; sessions go on', async () => {
    const user = await users.create('ada@example.com');
    await users.openSession(user.id);
    const updated = await updateRoles(users, change(user), ['admin', 'premium']);
    expect(updated).toMatchObject({ roles: ['admin', 'premium'], version: 2, tokenGeneration: 2 });
    expect(users.identity.revoked).toMatchObject([{ kind: 'user', userId: user.id, generation: 2 }]);
    expect(await liveSessions(user.id)).toHaveLength(1);
    expect(await users.events(user.id)).toMatchObject([
      {
        event_type: 'user_roles_changed',
        severity: 'high',
        metadata: { from: ['user'], to: ['admin', 'premium'], caller: 'console' },
      },
    ]);
  });

  test('the same roles in another order are none to replace', async () => {
    const user = await users.create('ada@example.com', { roles: ['user', 'trial'] });
    expect(await updateRoles(users, change(user), ['trial', 'user'])).toEqual(user);
    expect(await users.events(user.id)).toEqual([]);
  });

  test('the last active admin stays one', async () => {
    const admin = await users.create('ada@example.com', { roles: ['admin'] });
    const second = await users.create('eve@example.com', { roles: ['admin'] });
    await suspendUser(users, change(second));
    for (const remove of [deleteUser, suspendUser]) {
      await expect(remove(users, change(admin))).rejects.toThrow(LastAdmin);
    }
    await expect(updateRoles(users, change(admin), ['user'])).rejects.toThrow(LastAdmin);
    expect(await users.find(admin.id)).toEqual(admin);
    expect(await updateRoles(users, change(admin), ['admin', 'user'])).toMatchObject({ status: 'active' });
    await reactivateUser(users, change(second));
    await deleteUser(users, change(admin));
    await expect(deleteUser(users, change(second))).rejects.toThrow(LastAdmin);
  });
});
