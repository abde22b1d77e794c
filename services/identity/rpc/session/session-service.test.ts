import { randomUUID } from 'node:crypto';
import { type Client, Code, createClient } from '@connectrpc/connect';
import { Client as PgClient } from 'pg';
import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuthenticateResponse } from '../../../../gen/optix/identity/v1/authentication_service_pb.ts';
import { SessionService } from '../../../../gen/optix/identity/v1/session_service_pb.ts';
import { createTestDatabase, type TestDatabase } from '../../../../testing/database.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import {
  identityClients,
  startTestIdentity,
  type TestService,
  TRANSPORTS,
} from '../../../../testing/services.ts';

const PASSWORD = 'correct horse battery staple';

let database: TestDatabase;
let sql: PgClient;
let service: TestService;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = new PgClient(database.url);
  await sql.connect();
  service = await startTestIdentity({
    ...{ DATABASE_URL: database.url, RATE_LIMIT_ENABLED: 'false', SESSIONS_PER_USER: '100' },
  });
  await vi.waitFor(async () => expect((await service.get('/health')).status).toBe(200));
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await sql.end();
  await database[Symbol.asyncDispose]();
});

const rows = async (text: string, ...values: readonly unknown[]) =>
  (await sql.query<Record<string, unknown>>(text, [...values])).rows;

interface TestUser {
  readonly id: string;
  signIn(device?: object): Promise<Required<AuthenticateResponse> & { readonly sessionId: string }>;
}

async function newUser(): Promise<TestUser> {
  const { auth } = identityClients(service, 'gRPC');
  const email = `ada.${randomUUID()}@example.com`;
  const { user } = await auth.register({ email, password: PASSWORD, firstName: 'Ada' });
  if (user === undefined) throw new Error('no user in the answer');
  return {
    id: user.id,
    signIn: async (device = {}) => {
      const answer = await auth.authenticate({ email, password: PASSWORD, device });
      return { ...answer, sessionId: answer.session?.id ?? '' } as never;
    },
  };
}

/** Sessions that go on and are older than any sign-in of a test. */
async function addSessions(userId: string, count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, index) => uuidV7({ msecs: Date.now() - 3_600_000 + index }));
  await rows(
    `insert into user_service.sessions_history
       (id, user_id, created_at, expires_at, last_activity_at, mfa_verified, is_trusted_device)
     select id, $1, now() - interval '1 h', now() + interval '1 h', now(), false, false
     from unnest($2::uuid[]) id`,
    ...[userId, ids],
  );
}

describe.each(TRANSPORTS)('over %s', (transport) => {
  const sessions = (): Client<typeof SessionService> =>
    createClient(SessionService, service.transport(transport));

  describe('GetSession', () => {
    it('tells the device, the network and the times; also of one that has ended', async () => {
      const { signIn, id: userId } = await newUser();
      const device = {
        id: 'd1',
        fingerprint: 'f1',
        name: 'Laptop',
        ipAddress: '2001:db8::7',
        userAgent: 'ua',
      };
      const { sessionId: id, session: opened } = await signIn(device);
      const { session } = await sessions().getSession({ id: id.toUpperCase() });
      expect(session).toEqual(opened);
      expect(session).toMatchObject({ id, userId, device, active: true, mfaVerified: false, endReason: '' });
      expect(session?.endTime).toBeUndefined();
      await sessions().revokeSession({ id });
      const { session: ended } = await sessions().getSession({ id });
      expect(ended).toMatchObject({ id, userId, device, active: false, endReason: 'revoked' });
      expect(ended?.endTime).toBeDefined();
    });

    it('tells of one that ran out, or was left unused, that it is not active', async () => {
      const { signIn } = await newUser();
      for (const change of [
        `expires_at = now() - interval '1 s'`,
        `last_activity_at = now() - interval '2 d'`,
      ]) {
        const { sessionId: id } = await signIn();
        await rows(`update user_service.sessions_history set ${change} where id = $1`, id);
        expect((await sessions().getSession({ id })).session).toMatchObject({ active: false, endReason: '' });
      }
    });
  });

  describe('ListSessions', () => {
    it('gives 50 a page unless told, and 1,000 at most', async () => {
      const { id: userId } = await newUser();
      await addSessions(userId, 60);
      const first = await sessions().listSessions({ userId });
      expect(first.sessions).toHaveLength(50);
      const second = await sessions().listSessions({ userId, pageToken: first.nextPageToken });
      expect(second.sessions).toHaveLength(10);
      expect(second.nextPageToken).toBe('');
      const ids = [...first.sessions, ...second.sessions].map(({ id }) => id);
      expect(ids).toEqual(ids.toSorted().reverse());
      expect((await sessions().listSessions({ userId, pageSize: 1_000 })).sessions).toHaveLength(60);
      // Exactly as many as there are: no page follows.
      expect((await sessions().listSessions({ userId, pageSize: 60 })).nextPageToken).toBe('');
      for (const pageSize of [-1, 1_001, 2_147_483_647]) {
        const refused = await failure(sessions().listSessions({ userId, pageSize }));
        expect([refused.code, fieldsOf(refused)]).toEqual([Code.InvalidArgument, ['page_size']]);
      }
    });

    it('a page token is of one list only', async () => {
      const { id: userId } = await newUser();
      await addSessions(userId, 3);
      const { nextPageToken: pageToken } = await sessions().listSessions({ userId, pageSize: 1 });
      const wrong = [
        { userId: (await newUser()).id, pageToken },
        { userId, pageToken, showEnded: true },
        { userId, pageToken: `${pageToken}A` },
        { userId, pageToken: 'AAAA' },
      ];
      for (const request of wrong) {
        expect(fieldsOf(await failure(sessions().listSessions(request)))).toEqual(['page_token']);
      }
    });

    it('pages stay where they are while sessions come and go', async () => {
      const { id: userId, signIn } = await newUser();
      await addSessions(userId, 4);
      const first = await sessions().listSessions({ userId, pageSize: 2 });
      await signIn();
      await sessions().revokeSession({ id: first.sessions[1]?.id ?? '' });
      const second = await sessions().listSessions({ userId, pageSize: 2, pageToken: first.nextPageToken });
      expect(second.sessions).toHaveLength(2);
      expect(first.sessions.map(({ id }) => id)).not.toContain(second.sessions[0]?.id);
    });

    it('of nobody is empty', async () => {
      expect(await sessions().listSessions({ userId: randomUUID() })).toMatchObject({
        ...{ sessions: [], nextPageToken: '' },
      });
    });
  });

  describe('RevokeSession', () => {
    it('writes who asked and why; again it is answered as it is, with no event', async () => {
      const { signIn } = await newUser();
      const { sessionId: id } = await signIn();
      const request = { id, reason: 'lost phone', actor: 'op-7', requestId: randomUUID() };
      const first = await sessions().revokeSession(request);
      expect(first.session).toMatchObject({ id, active: false, endReason: 'revoked' });
      for (const again of [request, { id }, { ...request, reason: 'another' }]) {
        expect(await sessions().revokeSession(again)).toEqual(first);
      }
      const events = await rows(
        `select metadata from user_service.security_events where session_id = $1 and event_type = 'session_revoked'`,
        id,
      );
      expect(events).toMatchObject([{ metadata: { reason: 'lost phone', actor: 'op-7' } }]);
    });

    it.each([
      ['no id', { id: '' }, 'id'],
      ['a reason of 513 bytes', { reason: `${'ä'.repeat(256)}a` }, 'reason'],
      ['a reason with a line break', { reason: 'a\nb' }, 'reason'],
      ['an actor of 129 bytes', { actor: 'a'.repeat(129) }, 'actor'],
      ['a request id of 129 characters', { requestId: 'a'.repeat(129) }, 'request_id'],
      ['a request id that is not ASCII', { requestId: 'ä' }, 'request_id'],
    ])('%s is refused under its name, and changes nothing', async (_what, change, field) => {
      const { signIn } = await newUser();
      const { sessionId: id } = await signIn();
      const refused = await failure(sessions().revokeSession({ id, ...change }));
      expect([refused.code, fieldsOf(refused)]).toEqual([Code.InvalidArgument, [field]]);
      expect((await sessions().getSession({ id })).session).toMatchObject({ active: true });
    });
  });

  describe('RevokeUserSessions', () => {
    it('the same request id with another request is refused', async () => {
      const { id: userId, signIn } = await newUser();
      const { sessionId } = await signIn();
      const requestId = randomUUID();
      const request = { userId, exceptSessionId: sessionId, requestId };
      expect((await sessions().revokeUserSessions(request)).revokedCount).toBe(0n);
      const refused = await failure(sessions().revokeUserSessions({ userId, requestId }));
      expect(reasonOf(refused)).toBe('REQUEST_ID_REUSED');
      expect((await sessions().getSession({ id: sessionId })).session).toMatchObject({ active: true });
    });

    it('a session to spare that is of somebody else spares none', async () => {
      const [ada, eve] = [await newUser(), await newUser()];
      const { sessionId: mine } = await ada.signIn();
      const { sessionId: hers } = await eve.signIn();
      const { revokedCount } = await sessions().revokeUserSessions({ userId: ada.id, exceptSessionId: hers });
      expect(revokedCount).toBe(1n);
      expect((await sessions().getSession({ id: mine })).session).toMatchObject({ active: false });
      expect((await sessions().getSession({ id: hers })).session).toMatchObject({ active: true });
    });

    it('all fields that are wrong are named at once', async () => {
      const request = { userId: '1', exceptSessionId: '2', reason: '\u0000', actor: 'a'.repeat(129) };
      const refused = await failure(sessions().revokeUserSessions(request));
      expect(fieldsOf(refused)).toEqual(['user_id', 'except_session_id', 'actor', 'reason']);
    });
  });
});
