import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { failure, fieldsOf, reasonOf } from '../testing/failure.ts';
import { startTestIdentity, type TestService, TRANSPORTS } from '../testing/services.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

const NOBODY = '0193b9a0-0000-7000-8000-000000000001';
const EMAIL = 'nobody.yet@example.com';

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

type Users = IdentityRpcs['users'];
/** A call and what it is refused with: the code, the reason, and the fields that are wrong. */
type Case = readonly [call: (users: Users) => Promise<unknown>, told: string];

const next = (messages: AsyncIterable<unknown>) => messages[Symbol.asyncIterator]().next();
const update = (user: object, ...paths: string[]) => {
  const request = { user: { id: NOBODY, ...user } };
  return (users: Users) =>
    users.updateUser(paths.length > 0 ? { ...request, updateMask: { paths } } : request);
};

const NOT_FOUND = 'NotFound USER_NOT_FOUND';
const INVALID = 'InvalidArgument INVALID_REQUEST';
const CASES: Readonly<Record<string, readonly Case[]>> = {
  CreateUser: [
    [
      (users) => users.createUser({ email: 'x', phone: '1', roles: ['root'] }),
      `${INVALID} email,phone,roles`,
    ],
    [(users) => users.createUser({ email: EMAIL, requestId: 'é' }), `${INVALID} request_id`],
    [
      (users) => users.createUser({ email: EMAIL, password: 'x' }),
      'InvalidArgument PASSWORD_REFUSED password',
    ],
  ],
  GetUser: [
    [(users) => users.getUser({}), `${INVALID} id`],
    [(users) => users.getUser({ id: NOBODY, email: EMAIL }), `${INVALID} id`],
    [(users) => users.getUser({ email: EMAIL, showDeleted: true }), `${INVALID} show_deleted`],
    [(users) => users.getUser({ id: NOBODY }), NOT_FOUND],
    [(users) => users.getUser({ email: EMAIL }), NOT_FOUND],
  ],
  BatchGetUsers: [
    [(users) => users.batchGetUsers({}), `${INVALID} ids`],
    [(users) => users.batchGetUsers({ ids: [NOBODY, 'x'] }), `${INVALID} ids[1]`],
    [(users) => users.batchGetUsers({ ids: [NOBODY] }), NOT_FOUND],
  ],
  ListUsers: [
    [(users) => users.listUsers({ pageSize: -1, orderBy: 'age' }), `${INVALID} page_size,order_by`],
    [(users) => users.listUsers({ pageToken: 'x' }), `${INVALID} page_token`],
    [(users) => users.listUsers({ filter: { prefix: 'x'.repeat(101) } }), `${INVALID} filter.prefix`],
  ],
  UpdateUser: [
    [(users) => users.updateUser({}), `${INVALID} user`],
    [update({}, 'first_name', 'roles'), `${INVALID} update_mask`],
    [update({ email: 'x', phone: '1' }), `${INVALID} user.email,user.phone`],
    [update({ firstName: 'Ada' }), NOT_FOUND],
  ],
  DeleteUser: [
    [(users) => users.deleteUser({ id: 'x', actor: '\n' }), `${INVALID} id,actor`],
    [(users) => users.deleteUser({ id: NOBODY }), NOT_FOUND],
  ],
  UndeleteUser: [
    [(users) => users.undeleteUser({ id: 'x' }), `${INVALID} id`],
    [(users) => users.undeleteUser({ id: NOBODY }), NOT_FOUND],
  ],
  PurgeUser: [
    [(users) => users.purgeUser({ id: 'x' }), `${INVALID} id`],
    [(users) => users.purgeUser({ id: NOBODY }), NOT_FOUND],
  ],
  SuspendUser: [
    [(users) => users.suspendUser({ id: NOBODY, reason: 'x'.repeat(513) }), `${INVALID} reason`],
    [(users) => users.suspendUser({ id: NOBODY }), NOT_FOUND],
  ],
  ReactivateUser: [
    [(users) => users.reactivateUser({ id: 'x' }), `${INVALID} id`],
    [(users) => users.reactivateUser({ id: NOBODY }), NOT_FOUND],
  ],
  UnlockUser: [
    [(users) => users.unlockUser({ id: 'x' }), `${INVALID} id`],
    [(users) => users.unlockUser({ id: NOBODY }), NOT_FOUND],
  ],
  UpdateUserRoles: [
    [(users) => users.updateUserRoles({ id: NOBODY }), `${INVALID} roles`],
    [(users) => users.updateUserRoles({ id: NOBODY, roles: ['user', 'root'] }), `${INVALID} roles`],
    [(users) => users.updateUserRoles({ id: NOBODY, roles: ['user'] }), NOT_FOUND],
  ],
  SendEmailVerification: [
    [(users) => users.sendEmailVerification({ id: 'x' }), `${INVALID} id`],
    [(users) => users.sendEmailVerification({ id: NOBODY }), 'FailedPrecondition MAIL_NOT_CONFIGURED'],
  ],
  VerifyEmail: [
    [(users) => users.verifyEmail({ token: '' }), `${INVALID} token`],
    [(users) => users.verifyEmail({ token: 'x' }), 'FailedPrecondition TOKEN_NOT_USABLE'],
  ],
  ExportUsers: [
    [(users) => next(users.exportUsers({ filter: { roles: ['root'] } })), `${INVALID} filter.roles`],
  ],
};

/** How much has been written. */
async function written(): Promise<unknown> {
  const tables = ['users', 'security_events', 'answered_requests', 'outgoing_mails', 'revocations'];
  const counts = tables.map((table) => `(select count(*) from user_service.${table}) as ${table}`);
  return await withTestClient(database.url, async (client) => {
    return (await client.query(`select ${counts.join(', ')}`)).rows[0];
  });
}

describe.each(TRANSPORTS)('over %s', (transport) => {
  it.each(Object.entries(CASES))(
    '%s refuses by code, reason and fields, and writes nothing',
    async (_, cases) => {
      const { users } = identityRpcs(service.transport(transport));
      const before = await written();
      for (const [call, expected] of cases) {
        const error = await failure(call(users));
        const told = [Code[error.code], reasonOf(error), fieldsOf(error).join(',')].join(' ').trim();
        expect(told).toBe(expected);
      }
      expect(await written()).toEqual(before);
    },
  );
});
