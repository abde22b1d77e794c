import { randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type User, UserStatus } from '../gen/optix/identity/v1/user_pb.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { failure, reasonOf } from '../testing/failure.ts';
import { startTestIdentity, type TestService, TRANSPORTS } from '../testing/services.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

const NOBODY = '0193b9a0-0000-7000-8000-000000000001';

let database: TestDatabase;
let service: TestService;
beforeAll(async () => {
  database = await createTestDatabase();
  service = await startTestIdentity({ DATABASE_URL: database.url, RATE_LIMIT_ENABLED: 'false' });
  await vi.waitFor(async () => expect((await service.get('/health')).status).toBe(200), 10_000);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** Code and reason that a call is refused with. */
async function told(call: Promise<unknown>): Promise<string> {
  const error = await failure(call);
  return `${Code[error.code]} ${reasonOf(error)}`;
}

describe.each(TRANSPORTS)('over %s', (transport) => {
  let users: IdentityRpcs['users'];
  beforeEach(() => {
    ({ users } = identityRpcs(service.transport(transport)));
  });

  const newEmail = () => `${randomUUID()}@example.com`;
  async function created(more: object = {}): Promise<User> {
    const { user } = await users.createUser({ email: newEmail(), firstName: 'Ada', ...more });
    if (user === undefined) throw new Error('no user in the answer');
    return user;
  }

  it('a request_id makes 20 calls at once one change, and is good for one request only', async () => {
    const request = { email: newEmail(), requestId: randomUUID() };
    const answers = await Promise.all(Array.from({ length: 20 }, () => users.createUser(request)));
    expect(new Set(answers.map(({ user }) => user?.id)).size).toBe(1);
    const id = answers[0]?.user?.id ?? '';
    const rename = { user: { id, firstName: 'Augusta' }, requestId: randomUUID() };
    const renamed = await users.updateUser(rename);
    await users.updateUser({ user: { id, firstName: 'Grace' } });
    expect(await users.updateUser(rename)).toEqual(renamed);
    expect((await users.getUser({ id })).user?.firstName).toBe('Grace');
    const reused = users.updateUser({ ...rename, user: { id, firstName: 'Eve' } });
    expect(await told(reused)).toBe('FailedPrecondition REQUEST_ID_REUSED');
  });

  it('UpdateUser changes what the mask names, once for an etag that 10 hold', async () => {
    const user = await created({ lastName: 'Lovelace', phone: '+4915112345678' });
    const { id, etag } = user;
    const change = {
      user: { id, etag, firstName: 'Augusta' },
      updateMask: { paths: ['first_name', 'phone'] },
    };
    const calls = await Promise.allSettled(Array.from({ length: 10 }, () => users.updateUser(change)));
    const refused = calls.flatMap((call) => (call.status === 'rejected' ? [reasonOf(call.reason)] : []));
    expect(refused).toEqual(Array(9).fill('ETAG_MISMATCH'));
    const { user: now } = await users.getUser({ id });
    expect(now).toMatchObject({ firstName: 'Augusta', lastName: 'Lovelace', phone: '' });
    expect(now?.etag).not.toBe(etag);
    expect(await told(users.deleteUser({ id, etag }))).toBe('Aborted ETAG_MISMATCH');
    const taken = { user: { id, email: (await created()).email.toUpperCase() } };
    expect(await told(users.updateUser(taken))).toBe('AlreadyExists EMAIL_ALREADY_REGISTERED');
  });

  it('reading: by id, by address in any case, many in the order that was asked for', async () => {
    const [one, two] = [await created(), await created()];
    expect((await users.getUser({ id: one.id })).user).toEqual(one);
    expect((await users.getUser({ email: one.email.toUpperCase() })).user).toEqual(one);
    const { users: found } = await users.batchGetUsers({ ids: [two.id, NOBODY, one.id], allowMissing: true });
    expect(found).toEqual([two, one]);
  });

  it.each(['email', 'email desc', 'create_time', 'last_name desc'])(
    'ListUsers by %s: nobody comes twice or is left out while others come and go',
    async (orderBy) => {
      const family = `L${randomUUID().slice(0, 8)}`;
      const add = (name: string) =>
        created({ email: `${name}.${newEmail()}`, lastName: `${family} ${name}` });
      const stay: string[] = [];
      for (const name of ['b', 'd', 'f', 'h', 'j']) stay.push((await add(name)).id);
      const leaves = (await add('e')).id;
      const query = { orderBy, pageSize: 2, filter: { prefix: family } };
      const seen: string[] = [];
      let pageToken = '';
      do {
        const page = await users.listUsers({ ...query, pageToken });
        seen.push(...page.users.map(({ id }) => id));
        pageToken = page.nextPageToken;
        if (seen.length === 2) {
          for (const name of ['a', 'c', 'g', 'k']) await add(name);
          await users.deleteUser({ id: leaves });
        }
      } while (pageToken !== '');
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.filter((id) => stay.includes(id)).sort()).toEqual([...stay].sort());
    },
  );

  it('the life of a user: suspended, deleted, restored, purged; each state refuses what it must', async () => {
    const { id, email } = await created({ roles: ['premium'] });
    expect((await users.suspendUser({ id })).user?.status).toBe(UserStatus.SUSPENDED);
    expect((await users.deleteUser({ id })).user).toMatchObject({ status: UserStatus.DELETED });
    expect(await told(users.getUser({ id }))).toBe('NotFound USER_NOT_FOUND');
    expect(await told(users.getUser({ email }))).toBe('NotFound USER_NOT_FOUND');
    expect(await told(users.suspendUser({ id }))).toBe('NotFound USER_NOT_FOUND');
    expect((await users.undeleteUser({ id })).user?.status).toBe(UserStatus.SUSPENDED);
    expect(await told(users.undeleteUser({ id }))).toBe('FailedPrecondition USER_NOT_DELETED');
    expect(await told(users.purgeUser({ id }))).toBe('FailedPrecondition USER_NOT_DELETED');
    expect((await users.reactivateUser({ id })).user?.status).toBe(UserStatus.ACTIVE);
    await users.deleteUser({ id });
    await created({ email });
    expect(await told(users.undeleteUser({ id }))).toBe('AlreadyExists EMAIL_ALREADY_REGISTERED');
    // What was erased tells how much the audit log lost.
    expect((await users.purgeUser({ id })).securityEvents).toBeGreaterThan(4n);
    expect(await told(users.getUser({ id, showDeleted: true }))).toBe('NotFound USER_NOT_FOUND');
  });

  it('the last admin can be neither suspended, deleted nor made less, and one of two can', async () => {
    const [one, two] = [await created({ roles: ['admin'] }), await created({ roles: ['admin'] })];
    await users.updateUserRoles({ id: one.id, roles: ['user'] });
    const { id } = two;
    expect(await told(users.suspendUser({ id }))).toBe('FailedPrecondition LAST_ADMIN');
    expect(await told(users.deleteUser({ id }))).toBe('FailedPrecondition LAST_ADMIN');
    const less = users.updateUserRoles({ id, roles: ['user'] });
    expect(await told(less)).toBe('FailedPrecondition LAST_ADMIN');
    await created({ roles: ['admin'], lastName: `Admin by ${transport}` });
    await users.deleteUser({ id });
    await withTestClient(database.url, (client) =>
      client.query("update user_service.users set roles = '{user}'"),
    );
  });

  it('ImportUsers takes a stream and says who was refused; ExportUsers streams the others, each once', async () => {
    const known = await created();
    const prefix = `I${randomUUID().slice(0, 8)}`;
    async function* requests() {
      for (let index = 0; index < 1200; index += 1)
        yield { email: `${index}.${newEmail()}`, lastName: prefix };
      yield { email: known.email };
      yield { email: 'x', passwordHash: 'md5' };
    }
    const outcome = await users.importUsers(requests());
    expect(outcome).toMatchObject({ importedCount: 1200n, failedCount: 2n });
    expect(outcome.failures.map(({ index, reason }) => [index, reason])).toEqual([
      [1200n, 'EMAIL_ALREADY_REGISTERED'],
      [1201n, 'INVALID'],
    ]);
    const exported = new Set<string>();
    for await (const message of users.exportUsers({ filter: { prefix } })) {
      for (const { id } of message.users) exported.add(id);
    }
    expect(exported.size).toBe(1200);
  });
});
