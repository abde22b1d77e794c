import { type Code, ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BadRequestSchema, ErrorInfoSchema } from '../../../../gen/google/rpc/error_details_pb.ts';
import type { User } from '../../../../gen/optix/identity/v1/user_pb.ts';
import { UserStatus } from '../../../../gen/optix/identity/v1/user_pb.ts';
import { openTestOrm, type TestOrm } from '../../storage/testing-orm.ts';
import { identityClient } from './testing-identity-service.ts';

const NOBODY = '0193b9a0-0000-7000-8000-000000000001';

let db: TestOrm;
let users: ReturnType<typeof identityClient>;
beforeAll(async () => {
  db = await openTestOrm();
  users = identityClient(db);
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows(
    'truncate user_service.users, user_service.security_events, user_service.answered_requests cascade',
  );
});

/** What a refused call says. */
async function refusal(call: Promise<unknown>): Promise<{
  readonly code: Code;
  readonly reason: string | undefined;
  readonly fields: readonly string[];
  readonly text: string;
}> {
  const error = ConnectError.from(
    await call.then(
      () => new Error('it was answered'),
      (refused) => refused,
    ),
  );
  return {
    code: error.code,
    reason: error.findDetails(ErrorInfoSchema)[0]?.reason,
    fields: error
      .findDetails(BadRequestSchema)
      .flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field)),
    text: error.message,
  };
}

async function create(email = 'ada@example.com', more: object = {}): Promise<User> {
  const { user } = await users.createUser({ email, firstName: 'Ada', ...more });
  if (user === undefined) throw new Error('no user was answered');
  return user;
}

async function* streamOf<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items;
}

describe('reading', () => {
  test('by id or address, in any case', async () => {
    const user = await create('Ada@Example.com');
    expect(user).toMatchObject({
      status: UserStatus.ACTIVE,
      roles: ['user'],
      hasPassword: false,
      etag: '"1"',
    });
    for (const by of [{ id: user.id }, { id: user.id.toUpperCase() }, { email: 'ADA@example.COM' }]) {
      expect((await users.getUser(by)).user).toEqual(user);
    }
  });

  test('exactly one of id and address', async () => {
    const user = await create();
    const both = users.getUser({ id: user.id, email: user.email });
    expect(await refusal(both)).toMatchObject({ fields: ['id'] });
    expect(await refusal(users.getUser({}))).toMatchObject({ fields: ['id'] });
    expect(await refusal(users.getUser({ id: '1' }))).toMatchObject({ fields: ['id'] });
    expect(await refusal(users.getUser({ email: 'ada' }))).toMatchObject({ fields: ['email'] });
    const deleted = users.getUser({ email: user.email, showDeleted: true });
    expect(await refusal(deleted)).toMatchObject({ fields: ['show_deleted'] });
  });

  test('deleted users only on demand', async () => {
    const { id, email } = await create();
    await users.deleteUser({ id });
    expect(await refusal(users.getUser({ id }))).toMatchObject({ reason: 'USER_NOT_FOUND' });
    expect(await refusal(users.getUser({ email }))).toMatchObject({ reason: 'USER_NOT_FOUND' });
    const { user } = await users.getUser({ id, showDeleted: true });
    expect(user).toMatchObject({ status: UserStatus.DELETED, deleteTime: expect.anything() });
  });

  test('many: in the order of the request, twice where asked twice; all or none unless gaps are allowed', async () => {
    const [a, b] = [await create('a@example.com'), await create('b@example.com')];
    const ids = [b.id, a.id, b.id];
    expect((await users.batchGetUsers({ ids })).users).toEqual([b, a, b]);
    const gap = [a.id, NOBODY, b.id];
    expect(await refusal(users.batchGetUsers({ ids: gap }))).toMatchObject({ reason: 'USER_NOT_FOUND' });
    expect((await users.batchGetUsers({ ids: gap, allowMissing: true })).users).toEqual([a, b]);
    await users.deleteUser({ id: b.id });
    expect((await users.batchGetUsers({ ids, allowMissing: true })).users).toEqual([a]);
    expect((await users.batchGetUsers({ ids, showDeleted: true })).users).toHaveLength(3);
  });

  test('many: 1 to 1,000 UUIDs', async () => {
    const { id } = await create();
    expect((await users.batchGetUsers({ ids: Array(1_000).fill(id) })).users).toHaveLength(1_000);
    expect(await refusal(users.batchGetUsers({ ids: Array(1_001).fill(id) }))).toMatchObject({
      fields: ['ids'],
    });
    expect(await refusal(users.batchGetUsers({}))).toMatchObject({ fields: ['ids'] });
    expect(await refusal(users.batchGetUsers({ ids: [id, 'x'] }))).toMatchObject({ fields: ['ids[1]'] });
  });
});

describe('CreateUser', () => {
  test('names every field that is wrong', async () => {
    const creating = users.createUser({
      email: 'ada',
      firstName: '\n',
      lastName: 'x'.repeat(101),
      phone: '123',
      roles: ['root'],
      actor: 'x'.repeat(129),
    });
    expect(await refusal(creating)).toMatchObject({
      fields: ['email', 'first_name', 'last_name', 'phone', 'roles', 'actor'],
    });
    const long = users.createUser({ email: 'ada@example.com', requestId: 'x'.repeat(129) });
    expect(await refusal(long)).toMatchObject({ fields: ['request_id'] });
  });

  test('a refused password is told under its field, without repeating it', async () => {
    const refused = await refusal(users.createUser({ email: 'ada@example.com', password: 'qqqqqqqqqq' }));
    expect(refused).toMatchObject({ fields: ['password'], reason: 'PASSWORD_REFUSED' });
    expect(refused.text).not.toContain('qqqq');
  });

  test('an id makes it safe to send again, and is good for one request only', async () => {
    const request = { email: 'ada@example.com', password: 'correct horse battery', requestId: 'a' };
    const first = await users.createUser(request);
    expect(await users.createUser(request)).toEqual(first);
    expect(await refusal(users.createUser({ ...request, password: 'another horse' }))).toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
    expect(await refusal(users.createUser({ ...request, requestId: 'b' }))).toMatchObject({
      reason: 'EMAIL_ALREADY_REGISTERED',
    });
  });

  test('the role admin takes the scope users.admin', async () => {
    const writer = identityClient(db, ['users.write', 'users.read']);
    const refused = await refusal(writer.createUser({ email: 'ada@example.com', roles: ['user', 'admin'] }));
    expect(refused).toMatchObject({ reason: 'CALLER_NOT_PERMITTED' });
    expect(await db.rows('select 1 from user_service.users')).toEqual([]);
    const { user } = await writer.createUser({ email: 'ada@example.com', roles: ['premium', 'user'] });
    expect(user?.roles).toEqual(['premium', 'user']);
    expect((await create('eve@example.com', { roles: ['admin'] })).roles).toEqual(['admin']);
  });

  test('the audit log names the calling backend and whom it asked for', async () => {
    await create('ada@example.com', { actor: 'op-7' });
    expect(await db.rows('select metadata from user_service.security_events')).toMatchObject([
      { metadata: { caller: 'console', actor: 'op-7', reason: null } },
    ]);
  });
});

describe('UpdateUser (AIP-134)', () => {
  const NEW = { email: 'countess@example.com', firstName: 'Augusta', lastName: 'King', phone: '' };
  let id: string;
  beforeEach(async () => {
    ({ id } = await create('ada@example.com', { lastName: 'Lovelace', phone: '+4915112345678' }));
  });
  const update = async (paths: string[] | undefined, more: object = {}) =>
    (
      await users.updateUser({
        user: { id, ...NEW, ...more },
        ...(paths === undefined ? {} : { updateMask: { paths } }),
      })
    ).user;

  test('the address of an admin takes the scope users.admin: who reads its mail can reset the password', async () => {
    const writer = identityClient(db, ['users.write', 'users.read']);
    const admin = await create('eve@example.com', { roles: ['admin'] });
    const refused = await refusal(writer.updateUser({ user: { id: admin.id, email: 'mine@example.com' } }));
    expect(refused).toMatchObject({ reason: 'CALLER_NOT_PERMITTED' });
    expect((await users.getUser({ id: admin.id })).user).toEqual(admin);
    await writer.updateUser({ user: { id: admin.id, firstName: 'Eve' } });
    await writer.updateUser({ user: { id, email: 'mine@example.com' } });
    const { user } = await users.updateUser({ user: { id: admin.id, email: 'new@example.com' } });
    expect(user).toMatchObject({ email: 'new@example.com', firstName: 'Eve' });
  });

  test('changes the fields that the mask names', async () => {
    expect(await update(['first_name', 'phone'])).toMatchObject({
      email: 'ada@example.com',
      firstName: 'Augusta',
      lastName: 'Lovelace',
      phone: '',
    });
  });

  test('`*` is all of them, the empty ones too', async () => {
    expect(await update(['*'])).toMatchObject(NEW);
  });

  test.each([[undefined], [[]]])('without a mask: those that are not empty', async (paths) => {
    expect(await update(paths)).toMatchObject({ ...NEW, phone: '+4915112345678' });
  });

  test.each(['roles', 'status', 'id', 'firstName', 'user.email', ''])(
    'refuses a mask with the path %j, and changes nothing',
    async (path) => {
      expect(await refusal(update(['first_name', path]))).toMatchObject({ fields: ['update_mask'] });
      expect((await users.getUser({ id })).user?.firstName).toBe('Ada');
    },
  );

  test('names what is wrong by its path', async () => {
    expect(await refusal(update(['*'], { email: '', phone: '1' }))).toMatchObject({
      fields: ['user.email', 'user.phone'],
    });
    expect(await refusal(users.updateUser({}))).toMatchObject({ fields: ['user'] });
    expect(await refusal(update(['*'], { id: '1' }))).toMatchObject({ fields: ['user.id'] });
  });

  test('an etag of another state is ABORTED', async () => {
    const changed = await update(['first_name'], { etag: '"1"' });
    expect(changed?.etag).toBe('"2"');
    expect(await refusal(update(['last_name'], { etag: '"1"' }))).toMatchObject({ reason: 'ETAG_MISMATCH' });
  });
});

describe('ListUsers', () => {
  beforeEach(async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await create(`${name}@example.com`, { lastName: name });
  });
  const emails = (page: { readonly users: readonly User[] }) =>
    page.users.map(({ email }) => email[0]).join('');

  test('page by page, in the order that was asked for', async () => {
    const query = { pageSize: 2, orderBy: 'email desc' };
    const first = await users.listUsers(query);
    expect(emails(first)).toBe('ed');
    const second = await users.listUsers({ ...query, pageToken: first.nextPageToken, pageSize: 1 });
    expect(emails(second)).toBe('c');
    const last = await users.listUsers({ ...query, pageToken: second.nextPageToken, pageSize: 1_000 });
    expect([emails(last), last.nextPageToken]).toEqual(['ba', '']);
    expect(emails(await users.listUsers({}))).toBe('abcde');
    expect(emails(await users.listUsers({ orderBy: ' last_name  asc ' }))).toBe('abcde');
  });

  test('filters', async () => {
    const { user } = await users.getUser({ email: 'c@example.com' });
    await users.suspendUser({ id: user?.id ?? '' });
    expect(emails(await users.listUsers({ filter: { statuses: [UserStatus.SUSPENDED] } }))).toBe('c');
    expect(emails(await users.listUsers({ filter: { prefix: 'D@EX' } }))).toBe('d');
    expect(emails(await users.listUsers({ filter: { emailVerified: true } }))).toBe('');
    expect(emails(await users.listUsers({ filter: { createdBefore: user?.createTime ?? {} } }))).toBe('ab');
  });

  test('a token of another list, or one that was changed, is refused under its name', async () => {
    const { nextPageToken: pageToken } = await users.listUsers({ pageSize: 2 });
    for (const request of [
      { pageToken, orderBy: 'email' },
      { pageToken, filter: { prefix: 'a' } },
      { pageToken, showDeleted: true },
      { pageToken: `${pageToken}A` },
      { pageToken: 'x' },
    ]) {
      expect(await refusal(users.listUsers(request))).toMatchObject({ fields: ['page_token'] });
    }
  });

  test.each<[string, object]>([
    ['page_size', { pageSize: -1 }],
    ['page_size', { pageSize: 1_001 }],
    ['order_by', { orderBy: 'phone' }],
    ['order_by', { orderBy: 'email up' }],
    ['order_by', { orderBy: 'email, last_name' }],
    ['filter.statuses', { filter: { statuses: [0] } }],
    ['filter.roles', { filter: { roles: ['root'] } }],
    ['filter.prefix', { filter: { prefix: 'x'.repeat(101) } }],
    ['filter.prefix', { filter: { prefix: 'a\u0000' } }],
    ['filter.created_from', { filter: { createdFrom: { seconds: 253_402_300_800n } } }],
    ['filter.created_before', { filter: { createdBefore: { nanos: -1 } } }],
  ])('names %s where it is wrong (%#)', async (field, request) => {
    expect(await refusal(users.listUsers(request))).toMatchObject({ fields: [field] });
  });
});

test('a life: suspended, let in, given roles, unlocked, deleted, restored, deleted, purged', async () => {
  const { id } = await create('ada@example.com', { actor: 'op-7' });
  const said = { id, actor: 'op-7', reason: 'a test' };
  expect((await users.suspendUser(said)).user?.status).toBe(UserStatus.SUSPENDED);
  expect((await users.reactivateUser(said)).user?.status).toBe(UserStatus.ACTIVE);
  expect((await users.updateUserRoles({ ...said, roles: ['trial', 'trial', 'user'] })).user?.roles).toEqual([
    'user',
    'trial',
  ]);
  expect(await refusal(users.updateUserRoles(said))).toMatchObject({ fields: ['roles'] });
  expect((await users.unlockUser(said)).user?.status).toBe(UserStatus.ACTIVE);
  expect(await refusal(users.purgeUser(said))).toMatchObject({ reason: 'USER_NOT_DELETED' });
  expect((await users.deleteUser(said)).user?.status).toBe(UserStatus.DELETED);
  expect((await users.undeleteUser(said)).user?.status).toBe(UserStatus.ACTIVE);
  expect(await refusal(users.deleteUser({ ...said, etag: '"1"' }))).toMatchObject({
    reason: 'ETAG_MISMATCH',
  });
  const wordy = users.deleteUser({ ...said, reason: 'x'.repeat(513) });
  expect(await refusal(wordy)).toMatchObject({ fields: ['reason'] });
  await users.deleteUser(said);
  expect(await users.purgeUser({ ...said, requestId: 'p' })).toMatchObject({ sessions: 0n });
  expect(await users.purgeUser({ ...said, requestId: 'p' })).toMatchObject({ sessions: 0n });
  expect(await refusal(users.getUser({ id, showDeleted: true }))).toMatchObject({ reason: 'USER_NOT_FOUND' });
});

test('an import says what is wrong with each user, and repeats no values; an export streams the others', async () => {
  const bcrypt = '$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW';
  const outcome = await users.importUsers(
    streamOf([
      { email: 'ada@example.com', passwordHash: bcrypt, createTime: { seconds: 1_500_000_000n } },
      {
        email: 'secret-name',
        passwordHash: '$secret$',
        firstName: '\n',
        phone: '110',
        roles: ['root'],
        status: 4,
      },
      { email: 'ADA@example.com' },
      { email: 'eve@example.com', createTime: { seconds: 253_402_300_799n } },
      { email: 'bob@example.com', status: UserStatus.INACTIVE },
      { email: 'net@example.com', createTime: { seconds: -62_135_596_800n } },
    ]),
  );
  expect(outcome).toMatchObject({
    importedCount: 2n,
    failedCount: 4n,
    failures: [
      { index: 1n, reason: 'INVALID' },
      { index: 2n, reason: 'EMAIL_ALREADY_REGISTERED' },
      {
        index: 3n,
        reason: 'INVALID',
        description: 'create_time must be in 1970 or later, and not in the future',
      },
      {
        index: 5n,
        reason: 'INVALID',
        description: 'create_time must be in 1970 or later, and not in the future',
      },
    ],
  });
  const description = outcome.failures[0]?.description ?? '';
  for (const field of ['email', 'password_hash', 'first_name', 'phone', 'roles', 'status']) {
    expect(description).toContain(`${field} must`);
  }
  expect(description).not.toMatch(/secret|110|root/);

  const exported: User[] = [];
  for await (const message of users.exportUsers({})) exported.push(...message.users);
  expect(exported).toMatchObject([
    { email: 'ada@example.com', hasPassword: true, createTime: { seconds: 1_500_000_000n } },
    { email: 'bob@example.com', status: UserStatus.INACTIVE, hasPassword: false },
  ]);
  const refused = (async () => {
    for await (const _ of users.exportUsers({ filter: { roles: ['root'] } }));
  })();
  expect(await refusal(refused)).toMatchObject({ fields: ['filter.roles'] });
});
