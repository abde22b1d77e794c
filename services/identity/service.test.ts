import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JSONWebKeySet,
  jwtVerify,
  SignJWT,
} from 'jose';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { UserStatus } from '../../gen/optix/identity/v1/user_pb.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/database.ts';
import { failure, fieldsOf, reasonOf } from '../../testing/failure.ts';
import { identityClients, startTestIdentity, type TestService, TRANSPORTS } from '../../testing/services.ts';

const PASSWORD = 'correct horse battery staple';
const ENCRYPTION_KEY = createHash('sha256').update('a key for tests').digest('base64');

/** An e-mail address that nobody has yet. */
function newEmail(): string {
  return `Ada.${randomUUID()}@Example.com`;
}

let database: TestDatabase;
let sql: Client;
let service: TestService;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = new Client(database.url);
  await sql.connect();
  service = await startTestIdentity({
    DATABASE_URL: database.url,
    IDENTITY_ENCRYPTION_KEY: ENCRYPTION_KEY,
    RATE_LIMIT_ENABLED: 'false',
    TOKEN_ISSUER: 'https://id.example.com',
  });
  await vi.waitFor(async () => expect((await service.get('/health')).status).toBe(200), {
    timeout: 10_000,
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await sql.end();
  await database[Symbol.asyncDispose]();
});

async function rows(text: string, ...values: readonly unknown[]): Promise<Record<string, unknown>[]> {
  return (await sql.query<Record<string, unknown>>(text, [...values])).rows;
}

/** How many rows the tables hold that calls write to. */
async function rowCounts(): Promise<unknown> {
  const tables = ['users', 'sessions_history', 'refresh_token_families', 'security_events'];
  const counts = tables.map((table) => `(select count(*) from user_service.${table}) as ${table}`);
  return (await rows(`select ${counts.join(', ')}`))[0];
}

describe.each(TRANSPORTS)('over %s', (transport) => {
  const clients = () => identityClients(service, transport);

  async function registered() {
    const email = newEmail();
    const { user } = await clients().auth.register({ email, password: PASSWORD, firstName: 'Ada' });
    if (user === undefined) throw new Error('no user in the answer');
    return { email, user };
  }

  describe('Register', () => {
    it('creates an active user with the role user', async () => {
      const email = newEmail();
      const { user } = await clients().auth.register({
        email,
        password: PASSWORD,
        firstName: 'Ada',
        lastName: 'Lovelace',
        phone: '+4915112345678',
      });
      expect(user).toMatchObject({
        email,
        firstName: 'Ada',
        lastName: 'Lovelace',
        phone: '+4915112345678',
        status: UserStatus.ACTIVE,
        roles: ['user'],
        mfaEnabled: false,
      });
      expect(user?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
      const [row] = await rows('select * from user_service.users where id = $1', user?.id);
      expect(row).toMatchObject({ email, email_normalized: email.toLowerCase(), status: 'active' });
      expect(row?.['password_hash']).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    });

    it('writes the event beside the user, with the address it came from', async () => {
      const { user } = await registered();
      const events = await rows('select * from user_service.security_events where user_id = $1', user.id);
      expect(events).toMatchObject([{ event_type: 'user_created', ip_address: '127.0.0.1' }]);
    });

    it('refuses an address that somebody has, whatever its case', async () => {
      const { email } = await registered();
      const error = await failure(
        clients().auth.register({ email: email.toUpperCase(), password: PASSWORD }),
      );
      expect(error.code).toBe(Code.AlreadyExists);
      expect(reasonOf(error)).toBe('EMAIL_ALREADY_REGISTERED');
    });

    it('gives an address that 20 want at once to one of them', async () => {
      const email = newEmail();
      const calls = Array.from({ length: 20 }, () => clients().auth.register({ email, password: PASSWORD }));
      const outcomes = await Promise.allSettled(calls);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const found = await rows('select 1 from user_service.users where email = $1', email);
      expect(found).toHaveLength(1);
    });

    it.each([
      ['no e-mail address', { email: '' }, ['email']],
      ['an address without @', { email: 'ada.example.com' }, ['email']],
      ['an address with a line break', { email: 'ada@example.com\r\nBcc: eve@example.com' }, ['email']],
      ['an endless address', { email: `${'a'.repeat(300)}@example.com` }, ['email']],
      ['no password', { password: '' }, ['password']],
      ['a short password', { password: 'seven77' }, ['password']],
      ['a huge password', { password: 'x'.repeat(100_000) }, ['password']],
      ['a telephone number of another form', { phone: '0151 12345678' }, ['phone']],
      ['a name with control characters', { firstName: 'A\u0000da' }, ['first_name']],
      ['a name without end', { lastName: 'x'.repeat(101) }, ['last_name']],
      ['an IP address that is none', { device: { ipAddress: '999.1.1.1' } }, ['device.ip_address']],
      ['a huge user agent', { device: { userAgent: 'x'.repeat(513) } }, ['device.user_agent']],
      ['several faults', { email: 'x', password: 'x', phone: 'x' }, ['email', 'password', 'phone']],
    ])('refuses %s with INVALID_ARGUMENT naming the field, and writes nothing', async (_, fault, fields) => {
      const before = await rowCounts();
      const request = { email: newEmail(), password: PASSWORD, ...fault };
      const error = await failure(clients().auth.register(request));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(fieldsOf(error)).toEqual(fields);
      expect(await rowCounts()).toEqual(before);
    });
  });

  describe('Authenticate', () => {
    it('opens a session: tokens, session row, refresh-token family and event, all of one sign-in', async () => {
      const { email, user } = await registered();
      const device = {
        id: 'phone-1',
        fingerprint: 'f1',
        name: "Ada's phone",
        ipAddress: '203.0.113.9',
        userAgent: 'test/1.0',
      };
      const answer = await clients().auth.authenticate({ email, password: PASSWORD, device });
      expect(answer.tokenType).toBe('Bearer');
      expect(answer.user?.id).toBe(user.id);
      expect(answer.user?.lastLoginTime).toBeDefined();
      expect(answer.session).toMatchObject({ userId: user.id, device, mfaVerified: false });

      const [session] = await rows(
        'select *, host(ip_address) as ip from user_service.sessions_history where user_id = $1',
        user.id,
      );
      expect(session).toMatchObject({
        id: answer.session?.id,
        device_id: 'phone-1',
        device_name: "Ada's phone",
        ip: '203.0.113.9',
        user_agent: 'test/1.0',
        terminated_at: null,
      });
      const [family] = await rows(
        'select * from user_service.refresh_token_families where session_id = $1',
        answer.session?.id,
      );
      expect(family?.['current_token_hash']).toEqual(
        createHash('sha256').update(answer.refreshToken).digest(),
      );
      const events = await rows(
        "select * from user_service.security_events where session_id = $1 and event_type = 'login_succeeded'",
        answer.session?.id,
      );
      expect(events).toHaveLength(1);
    });

    it('finds the user whatever the case of the address', async () => {
      const { email, user } = await registered();
      const answer = await clients().auth.authenticate({ email: email.toUpperCase(), password: PASSWORD });
      expect(answer.user?.id).toBe(user.id);
    });

    it('answers unknown, wrong, empty, suspended and deleted alike, to the byte', async () => {
      const wrong = await registered();
      const suspended = await registered();
      const deleted = await registered();
      await rows("update user_service.users set status = 'suspended' where id = $1", suspended.user.id);
      await rows(
        "update user_service.users set status = 'deleted', deleted_at = now() where id = $1",
        deleted.user.id,
      );
      const attempts = [
        { email: newEmail(), password: PASSWORD },
        { email: wrong.email, password: 'not the password' },
        { email: wrong.email, password: '' },
        { email: suspended.email, password: PASSWORD },
        { email: deleted.email, password: PASSWORD },
      ];
      const errors = await Promise.all(
        attempts.map(async (attempt) => await failure(clients().auth.authenticate(attempt))),
      );
      for (const error of errors) {
        expect(error.code).toBe(Code.Unauthenticated);
        expect(reasonOf(error)).toBe('INVALID_CREDENTIALS');
      }
      const answers = errors.map(({ rawMessage, details }) => JSON.stringify({ rawMessage, details }));
      expect(new Set(answers).size).toBe(1);
    });

    it('counts and records a failure', async () => {
      const { email, user } = await registered();
      await failure(clients().auth.authenticate({ email, password: 'not the password' }));
      const [row] = await rows('select failed_login_attempts from user_service.users where id = $1', user.id);
      expect(row).toEqual({ failed_login_attempts: 1 });
      const events = await rows(
        "select severity, metadata from user_service.security_events where user_id = $1 and event_type = 'login_failed'",
        user.id,
      );
      expect(events).toMatchObject([{ metadata: { reason: 'wrong_password' } }]);
    });

    it.each([
      ['an address that is none', { email: 'ada' }, ['email']],
      ['a huge password', { password: 'x'.repeat(100_000) }, ['password']],
      ['an IP address that is none', { device: { ipAddress: 'localhost' } }, ['device.ip_address']],
    ])('refuses %s with INVALID_ARGUMENT naming the field, and writes nothing', async (_, fault, fields) => {
      const before = await rowCounts();
      const request = { email: newEmail(), password: PASSWORD, ...fault };
      const error = await failure(clients().auth.authenticate(request));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(fieldsOf(error)).toEqual(fields);
      expect(await rowCounts()).toEqual(before);
    });
  });

  describe('IntrospectToken', () => {
    async function signedIn() {
      const { email, user } = await registered();
      const answer = await clients().auth.authenticate({ email, password: PASSWORD });
      return { email, user, answer, token: answer.accessToken };
    }

    it("answers RFC 7662's names for a good token", async () => {
      const { email, user, answer, token } = await signedIn();
      const found = await clients().tokens.introspectToken({ token });
      const claims = decodeJwt(token);
      expect(found).toMatchObject({
        active: true,
        sub: user.id,
        sid: answer.session?.id,
        jti: claims.jti,
        iss: 'https://id.example.com',
        aud: ['optix'],
        exp: BigInt(claims.exp ?? 0),
        iat: BigInt(claims.iat ?? 0),
        tokenType: 'Bearer',
        username: email,
        roles: ['user'],
      });
    });

    it('answers the roles of this moment', async () => {
      const { user, token } = await signedIn();
      await rows("update user_service.users set roles = '{premium,user}' where id = $1", user.id);
      expect((await clients().tokens.introspectToken({ token })).roles).toEqual(['premium', 'user']);
    });

    it.each([
      [
        'its session has ended',
        'update user_service.sessions_history set terminated_at = now() where user_id = $1',
      ],
      [
        'its session has expired',
        "update user_service.sessions_history set expires_at = now() - interval '1s', created_at = now() - interval '1h' where user_id = $1",
      ],
      ['its user is suspended', "update user_service.users set status = 'suspended' where id = $1"],
      [
        'its user is deleted',
        "update user_service.users set status = 'deleted', deleted_at = now() where id = $1",
      ],
    ])('calls a token inactive once %s, and says nothing more', async (_, change) => {
      const { user, token } = await signedIn();
      await rows(change, user.id);
      const found = await clients().tokens.introspectToken({ token });
      const said = Object.entries(found).filter(
        ([name, value]) => name !== '$typeName' && value !== undefined,
      );
      expect(Object.fromEntries(said)).toEqual({ active: false, amr: [], aud: [], roles: [] });
    });

    it('calls a token inactive that somebody else signed, that was altered, or that is unsigned', async () => {
      const { token } = await signedIn();
      const [head, payload, signature] = token.split('.') as [string, string, string];
      const { privateKey } = generateKeyPairSync('ed25519');
      const foreign = await new SignJWT(decodeJwt(token))
        .setProtectedHeader(decodeProtectedHeader(token) as { alg: string })
        .sign(privateKey);
      const claims = { ...decodeJwt(token), roles: ['admin'] };
      const altered = `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
      const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url');
      const hmac = await new SignJWT(decodeJwt(token))
        .setProtectedHeader({ ...decodeProtectedHeader(token), alg: 'HS256' })
        .sign(new TextEncoder().encode('a shared secret of thirty-two bytes'));
      for (const bad of [foreign, altered, `${none}.${payload}.`, hmac]) {
        expect((await clients().tokens.introspectToken({ token: bad })).active).toBe(false);
      }
      expect((await clients().tokens.introspectToken({ token })).active).toBe(true);
    });

    it.each([
      ['nothing', ''],
      ['a text that is no JWT', 'hello'],
      ['two parts', 'eyJhbGciOiJFZERTQSJ9.e30'],
      ['a header that is no JSON', 'aGVsbG8.e30.c2ln'],
      ['an endless token', `${'a'.repeat(9000)}.e30.c2ln`],
    ])('refuses %s with INVALID_ARGUMENT naming the token', async (_, token) => {
      const error = await failure(clients().tokens.introspectToken({ token }));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(fieldsOf(error)).toEqual(['token']);
      expect(reasonOf(error)).toBe('TOKEN_MALFORMED');
    });
  });

  describe('GetUser', () => {
    it('answers the user, without secrets', async () => {
      const { user } = await registered();
      const found = await clients().users.getUser({ id: user.id });
      expect(found.user).toEqual(user);
      expect(JSON.stringify(Object.keys(found.user ?? {}))).not.toMatch(/password(?!")|secret|hash/i);
    });

    it('says NOT_FOUND for nobody and for a deleted user', async () => {
      const { user } = await registered();
      await rows(
        "update user_service.users set status = 'deleted', deleted_at = now() where id = $1",
        user.id,
      );
      for (const id of [user.id, randomUUID()]) {
        const error = await failure(clients().users.getUser({ id }));
        expect(error.code).toBe(Code.NotFound);
        expect(reasonOf(error)).toBe('USER_NOT_FOUND');
      }
    });

    it.each([[''], ['4711'], ["' or 1=1 --"]])('refuses id "%s", naming it', async (id) => {
      const error = await failure(clients().users.getUser({ id }));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(fieldsOf(error)).toEqual(['id']);
    });
  });

  it('GetJwks gives the keys that access tokens verify by, and that /.well-known/jwks.json gives', async () => {
    const { email } = await registered();
    const { accessToken } = await clients().auth.authenticate({ email, password: PASSWORD });
    const published = (await service.get('/.well-known/jwks.json')).body as unknown as JSONWebKeySet;
    const { payload, protectedHeader } = await jwtVerify(accessToken, createLocalJWKSet(published), {
      issuer: 'https://id.example.com',
      audience: 'optix',
      typ: 'at+jwt',
      algorithms: ['EdDSA'],
    });
    expect(payload['roles']).toEqual(['user']);
    const { keys } = await clients().tokens.getJwks({});
    expect(keys.map(({ kid }) => kid)).toEqual(published.keys.map(({ kid }) => kid));
    expect(keys.map(({ kid }) => kid)).toContain(protectedHeader.kid);
    expect(JSON.stringify(published)).not.toContain('"d"');
  });
});

describe('secrets', () => {
  it('are nowhere in the log, and not plain in the database', async () => {
    const { auth, tokens } = identityClients(service, 'HTTP');
    const email = newEmail();
    const password = `very secret ${randomUUID()}`;
    await auth.register({ email, password });
    await failure(auth.authenticate({ email, password: `${password} not` }));
    const answer = await auth.authenticate({ email, password });
    await tokens.introspectToken({ token: answer.accessToken });
    const log = JSON.stringify(service.log);
    let dump = '';
    for (const table of [
      'users',
      'sessions_history',
      'refresh_token_families',
      'security_events',
      'signing_keys',
    ]) {
      dump += JSON.stringify(await rows(`select t::text from user_service.${table} t`));
    }
    for (const secret of [password, answer.accessToken, answer.refreshToken]) {
      expect(log).not.toContain(secret);
      expect(dump).not.toContain(secret);
    }
    expect(dump).toContain(email);
    expect(log).toContain('AuthenticationService/Authenticate');
  });
});

describe('two replicas on one database', () => {
  it("sign with one key and take each other's tokens", async () => {
    await using fresh = await createTestDatabase();
    const env = {
      DATABASE_URL: fresh.url,
      IDENTITY_ENCRYPTION_KEY: ENCRYPTION_KEY,
      RATE_LIMIT_ENABLED: 'false',
    };
    await using one = await startTestIdentity(env);
    await using two = await startTestIdentity(env);
    const email = newEmail();
    await identityClients(one, 'gRPC').auth.register({ email, password: PASSWORD });
    const answers = await Promise.all(
      [one, two].map((replica) =>
        identityClients(replica, 'gRPC').auth.authenticate({ email, password: PASSWORD }),
      ),
    );
    const kids = answers.map(({ accessToken }) => decodeProtectedHeader(accessToken).kid);
    expect(new Set(kids).size).toBe(1);
    for (const [index, replica] of [two, one].entries()) {
      const token = answers[index]?.accessToken ?? '';
      expect((await identityClients(replica, 'gRPC').tokens.introspectToken({ token })).active).toBe(true);
    }
  });
});
