import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { UserStatus } from '../gen/optix/identity/v1/user_pb.ts';
import { migrateDatabase } from '../stack/migrate-database.ts';
import { type PostgresServer, startPostgres } from '../stack/postgres-server.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { stackDirectory } from '../testing/stack-directory.ts';
import { FaultedCalls } from './faulted-calls.ts';
import { IdentityReplicas } from './identity-replicas.ts';
import type { IdentityRpcs } from './identity-rpcs.ts';

const CONNECT_TIMEOUT_MS = 500;
const STATEMENT_TIMEOUT_MS = 1000;
/** A wait for a connection, a statement without an answer, and what a busy machine adds. */
const BUDGET_MS = CONNECT_TIMEOUT_MS + STATEMENT_TIMEOUT_MS + 2500;
const CRASHES = 2;

let directory: ReturnType<typeof stackDirectory>;
let postgres: PostgresServer;
let identity: IdentityReplicas;
beforeAll(async () => {
  directory = stackDirectory();
  postgres = await startPostgres({ dataDir: join(directory.path, 'postgres') });
  await migrateDatabase(postgres.url);
  identity = await IdentityReplicas.start({
    DATABASE_URL: postgres.url,
    DATABASE_CONNECT_TIMEOUT_MS: String(CONNECT_TIMEOUT_MS),
    DATABASE_STATEMENT_TIMEOUT_MS: String(STATEMENT_TIMEOUT_MS),
    REFRESH_GRACE_SECONDS: '60',
  });
});
afterAll(async () => {
  await identity[Symbol.asyncDispose]();
  await postgres.stop();
  directory[Symbol.dispose]();
});

const sql = (text: string, values: unknown[] = []) =>
  withTestClient(postgres.url, async (client) => (await client.query(text, values)).rows);

/** Every process of the server dies on the spot, as with its machine; then it is started on what it left. */
async function crash(): Promise<void> {
  const processes = await sql('select pid from pg_stat_activity where pid <> pg_backend_pid()');
  postgres.kill('SIGKILL');
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // It went by itself when it saw the others go.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  await sleep(300);
  postgres = await startPostgres({ dataDir: join(directory.path, 'postgres'), port: postgres.port });
}

/** Changes to one user, each sent again with the same `request_id` until it is acknowledged. */
async function administer(calls: FaultedCalls, { users }: IdentityRpcs): Promise<() => Promise<void>> {
  const email = `${randomUUID()}@example.com`;
  const created = await calls.untilDone('CreateUser', (requestId) => users.createUser({ email, requestId }));
  const id = created.user?.id ?? '';
  let rounds = 0;
  let roles = ['user'];
  while (!calls.isOver) {
    const lastName = `Name ${rounds + 1}`;
    roles = rounds % 2 === 0 ? ['premium'] : ['user'];
    const wanted = { id, roles };
    await calls.untilDone('UpdateUser', (requestId) =>
      users.updateUser({ user: { id, lastName }, requestId }),
    );
    await calls.untilDone('UpdateUserRoles', (requestId) => users.updateUserRoles({ ...wanted, requestId }));
    await calls.untilDone('SuspendUser', (requestId) => users.suspendUser({ id, requestId }));
    await calls.untilDone('ReactivateUser', (requestId) => users.reactivateUser({ id, requestId }));
    rounds += 1;
  }
  return async () => {
    const { user } = await users.getUser({ id });
    expect(user).toMatchObject({ email, roles, lastName: `Name ${rounds}`, status: UserStatus.ACTIVE });
    const events = await sql(
      `select event_type as type, count(*)::int as times from user_service.security_events
       where user_id = $1 group by 1`,
      [id],
    );
    expect(Object.fromEntries(events.map(({ type, times }) => [type, times]))).toEqual({
      user_created: 1,
      user_updated: rounds,
      user_roles_changed: rounds,
      user_suspended: rounds,
      user_reactivated: rounds,
    });
  };
}

/** A client that signs in, refreshes its tokens and ends its session, over and over. */
async function comeAndGo(calls: FaultedCalls, rpcs: IdentityRpcs): Promise<() => Promise<void>> {
  const { auth, sessions, tokens } = rpcs;
  const login = { email: `${randomUUID()}@example.com`, password: 'correct horse battery staple' };
  await calls.untilDone('Register', (requestId) => auth.register({ ...login, requestId }));
  const ended: { readonly id: string; readonly token: string }[] = [];
  let refreshToken: string;
  // It ends with a session that goes on.
  for (;;) {
    const { session, ...first } = await calls.untilDone('Authenticate', () => auth.authenticate(login));
    let { accessToken } = first;
    ({ refreshToken } = first);
    for (let time = 0; time < 10; time += 1) {
      const used = { refreshToken };
      ({ accessToken, refreshToken } = await calls.untilDone('RefreshToken', () =>
        tokens.refreshToken(used),
      ));
    }
    if (calls.isOver) break;
    const id = session?.id ?? '';
    await calls.untilDone('RevokeSession', () => sessions.revokeSession({ id }));
    ended.push({ id, token: accessToken });
    const { active } = await calls.untilDone('IntrospectToken', () =>
      tokens.introspectToken({ token: accessToken }),
    );
    expect(active).toBe(false);
  }
  return async () => {
    await tokens.refreshToken({ refreshToken });
    for (const { id, token } of ended) {
      expect((await sessions.getSession({ id })).session).toMatchObject({
        active: false,
        endReason: 'revoked',
      });
      expect((await tokens.introspectToken({ token })).active).toBe(false);
    }
  };
}

/** A user who changes the password, over and over. */
async function changePasswords(calls: FaultedCalls, rpcs: IdentityRpcs): Promise<() => Promise<void>> {
  const { auth, credentials } = rpcs;
  const email = `${randomUUID()}@example.com`;
  let password = `password ${randomUUID()}`;
  const { user } = await calls.untilDone('Register', (requestId) =>
    auth.register({ email, password, requestId }),
  );
  let times = 0;
  while (!calls.isOver) {
    const newPassword = `password ${randomUUID()}`;
    const change = { userId: user?.id ?? '', currentPassword: password, newPassword };
    await calls.untilDone('ChangePassword', (requestId) =>
      credentials.changePassword({ ...change, requestId }),
    );
    password = newPassword;
    times += 1;
  }
  return async () => {
    expect((await auth.authenticate({ email, password })).user?.id).toBe(user?.id);
    const events = await sql(
      "select 1 from user_service.security_events where user_id = $1 and event_type = 'password_changed'",
      [user?.id],
    );
    expect(events).toHaveLength(times);
  };
}

/** Users who come from elsewhere, 20 at a time. */
async function importAll(calls: FaultedCalls, { users }: IdentityRpcs): Promise<() => Promise<void>> {
  const emails: string[] = [];
  while (!calls.isOver) {
    const batch = Array.from({ length: 20 }, () => `${randomUUID()}@example.com`);
    const answer = await calls.untilDone('ImportUsers', () =>
      users.importUsers(
        (async function* () {
          for (const email of batch) yield { email };
        })(),
      ),
    );
    // Sent again, those that are there already are refused: nobody is added twice.
    expect(Number(answer.importedCount + answer.failedCount)).toBe(batch.length);
    for (const { reason } of answer.failures) expect(reason).toBe('EMAIL_ALREADY_REGISTERED');
    emails.push(...batch);
  }
  return async () => {
    const [found] = await sql(
      'select count(*)::int as all, count(distinct email)::int as different from user_service.users where email = any($1)',
      [emails],
    );
    expect(found).toEqual({ all: emails.length, different: emails.length });
  };
}

describe('identity, when PostgreSQL is killed (kill -9) under changes of many kinds', () => {
  it('keeps all it acknowledged, does what is sent again once, and loses no refresh token', async () => {
    const calls = new FaultedCalls();
    const { rpcs, others } = identity;
    const works = [
      ...[rpcs, others, rpcs].map((by) => administer(calls, by)),
      ...[rpcs, others, rpcs, others].map((by) => comeAndGo(calls, by)),
      ...[rpcs, others].map((by) => changePasswords(calls, by)),
      importAll(calls, rpcs),
    ];
    const running = Promise.all(works);
    const goOn = async () => {
      const enough = calls.done.length + 60;
      await vi.waitFor(() => expect(calls.done.length).toBeGreaterThan(enough), { timeout: 30_000 });
    };
    const crashes = async () => {
      for (let time = 0; time < CRASHES; time += 1) {
        await goOn();
        await crash();
      }
      await goOn();
    };
    // A client that is told something wrong ends the test at once.
    await Promise.race([crashes(), running]).finally(() => calls.end());
    for (const check of await running) await check();

    // Each kind was under way when the server died, and was told so in time.
    const failed = new Set(calls.failures.map(({ rpc }) => rpc));
    expect(calls.failures.filter(({ reason }) => reason !== 'DATABASE_UNAVAILABLE')).toEqual([]);
    expect(failed.size).toBeGreaterThan(3);
    expect(Math.max(...calls.failures.map(({ ms }) => ms))).toBeLessThan(BUDGET_MS);
    expect(Math.max(...calls.done.map(({ ms }) => ms))).toBeLessThan(BUDGET_MS);
  }, 120_000);

  it('gives a refresh token that was just used the identical answer after the crash', async () => {
    const { email } = await identity.newUser();
    const { refreshToken } = await identity.signIn(email);
    const answer = await identity.rpcs.tokens.refreshToken({ refreshToken });
    await crash();
    const retry = () => identity.others.tokens.refreshToken({ refreshToken });
    expect(await new FaultedCalls().untilDone('RefreshToken', retry)).toEqual(answer);
    const next = await identity.rpcs.tokens.refreshToken({ refreshToken: answer.refreshToken });
    expect(await identity.isActive(next.accessToken)).toEqual([true, true]);
  });
});
