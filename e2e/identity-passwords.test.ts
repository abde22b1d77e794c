import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { hash as bcrypt } from 'bcrypt';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BadRequestSchema, RetryInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { failure, fieldsOf, reasonOf } from '../testing/failure.ts';
import { startTestIdentity, type TestService } from '../testing/services.ts';
import { identityRpcs } from './identity-rpcs.ts';
import { mailedToken, mailsTo } from './mailed-token.ts';

const PASSWORD = 'correct horse battery staple';
const OTHER = 'another fine long phrase';
const ACCOUNT_THRESHOLD = 3;
const NETWORK_THRESHOLD = 6;
/** Longer than a few sign-ins take on a busy machine. */
const LOCK_SECONDS = 2;
const VERIFY = 'Verify your e-mail address';
const RESET = 'Reset your password';

let directory: string;
let mails: string;
let database: TestDatabase;
let service: TestService;
let rpcs: ReturnType<typeof identityRpcs>;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'e2e-passwords-'));
  mails = join(directory, 'mails');
  mkdirSync(mails);
  writeFileSync(join(directory, 'blocklist.txt'), 'our old office wifi\n');
  database = await createTestDatabase();
  service = await startTestIdentity({
    DATABASE_URL: database.url,
    RATE_LIMIT_ENABLED: 'false',
    MAIL_URL: pathToFileURL(mails).href,
    PASSWORD_MIN_LENGTH: '10',
    PASSWORD_BLOCKLIST_FILE: join(directory, 'blocklist.txt'),
    ACCOUNT_LOCKOUT_THRESHOLD: String(ACCOUNT_THRESHOLD),
    NETWORK_LOCKOUT_THRESHOLD: String(NETWORK_THRESHOLD),
    LOCKOUT_BASE_SECONDS: String(LOCK_SECONDS),
  });
  await vi.waitFor(async () => expect((await service.get('/health')).status).toBe(200), 10_000);
  rpcs = identityRpcs(service.transport('gRPC'));
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

let addresses = 0;
/** A device in a network that nobody called from yet. */
const newDevice = () => {
  addresses += 1;
  return { ipAddress: `2001:db8:0:${addresses.toString(16)}::1` };
};
const newEmail = () => `${randomUUID()}@example.com`;

async function registered() {
  const email = newEmail();
  const { user } = await rpcs.auth.register({ email, password: PASSWORD, device: newDevice() });
  return { email, id: user?.id ?? '' };
}

const signIn = (email: string, password = PASSWORD, device = newDevice()) =>
  rpcs.auth.authenticate({ email, password, device });
const subjectsTo = (email: string) => mailsTo(mails, email).map(({ subject }) => subject);
const isActive = async (token: string) => (await rpcs.tokens.introspectToken({ token })).active;
/** Until when wrong passwords lock the user, as milliseconds from now. */
const lockedForMs = async (id: string) => {
  const until = (await rpcs.users.getUser({ id })).user?.lockExpireTime;
  return until === undefined ? 0 : timestampMs(until) - Date.now();
};

/** Everything that a caller is told of an error. */
async function toldBy(call: Promise<unknown>): Promise<string> {
  const { code, rawMessage, details } = await failure(call);
  return JSON.stringify({ code, rawMessage, details });
}

describe('wrong passwords', () => {
  it('lock the account for a while that doubles: even the right one is refused, to the byte as a wrong one', async () => {
    const { email, id } = await registered();
    const told = new Set<string>();
    for (let time = 0; time < ACCOUNT_THRESHOLD; time += 1) told.add(await toldBy(signIn(email, OTHER)));
    const lockMs = await lockedForMs(id);
    expect(lockMs).toBeGreaterThan(0);
    expect(lockMs).toBeLessThanOrEqual(LOCK_SECONDS * 1000);
    told.add(await toldBy(signIn(email)));
    expect(told.size).toBe(1);
    expect([...told][0]).toContain(`"code":${Code.Unauthenticated}`);

    await expect.poll(() => lockedForMs(id), { timeout: 10_000 }).toBe(0);
    await failure(signIn(email, OTHER));
    const second = await lockedForMs(id);
    expect(second).toBeGreaterThan(LOCK_SECONDS * 1000);
    expect(second).toBeLessThanOrEqual(2 * LOCK_SECONDS * 1000);
    expect(subjectsTo(email)).toContain('Your account is locked for a while');
  });

  it('are forgotten with a right one', async () => {
    const { email } = await registered();
    for (const _ of ['before it', 'after it']) {
      for (let time = 1; time < ACCOUNT_THRESHOLD; time += 1) await failure(signIn(email, OTHER));
      await signIn(email);
    }
  });

  it('of a current password count too, and UnlockUser ends the lock', async () => {
    const { email, id } = await registered();
    const change = { userId: id, currentPassword: OTHER, newPassword: 'a third phrase' };
    for (let time = 0; time < ACCOUNT_THRESHOLD; time += 1) {
      const error = await failure(rpcs.credentials.changePassword({ ...change, device: newDevice() }));
      expect(reasonOf(error)).toBe('INVALID_CREDENTIALS');
    }
    expect(reasonOf(await failure(signIn(email)))).toBe('INVALID_CREDENTIALS');
    await rpcs.users.unlockUser({ id });
    await signIn(email);
  });

  it('lock out the network they come from, whoever is meant, with the time to wait; others go on', async () => {
    const { email } = await registered();
    const network = newDevice().ipAddress.replace(/1$/, '');
    const device = (host: number) => ({ ipAddress: `${network}${host}` });
    for (let time = 0; time < NETWORK_THRESHOLD; time += 1) {
      const error = await failure(signIn(newEmail(), PASSWORD, device(time)));
      expect(reasonOf(error)).toBe('INVALID_CREDENTIALS');
    }
    const refused = await failure(signIn(email, PASSWORD, device(99)));
    expect([refused.code, reasonOf(refused)]).toEqual([Code.ResourceExhausted, 'RATE_LIMITED']);
    const delay = refused.findDetails(RetryInfoSchema)[0]?.retryDelay;
    expect(Number(delay?.seconds) * 1000 + (delay?.nanos ?? 0) / 1e6).toBeLessThanOrEqual(
      LOCK_SECONDS * 1000,
    );
    await signIn(email);
    await expect
      .poll(async () => await signIn(email, PASSWORD, device(98)).catch(reasonOf), { timeout: 10_000 })
      .toMatchObject({ tokenType: 'Bearer' });
  });
});

describe('a forgotten password', () => {
  it('is set anew with the token of the mail, once: sessions end, the lock ends, the address is verified', async () => {
    const { email, id } = await registered();
    const { accessToken, refreshToken } = await signIn(email);
    for (let time = 0; time < ACCOUNT_THRESHOLD; time += 1) await failure(signIn(email, OTHER));
    await rpcs.credentials.requestPasswordReset({ email: email.toUpperCase(), device: newDevice() });
    const token = await mailedToken(mails, email, RESET);

    const refused = await failure(rpcs.credentials.confirmPasswordReset({ token, newPassword: 'short' }));
    expect([reasonOf(refused), fieldsOf(refused)]).toEqual(['PASSWORD_REFUSED', ['new_password']]);
    const confirmation = { token, newPassword: OTHER, requestId: randomUUID() };
    const answer = await rpcs.credentials.confirmPasswordReset(confirmation);
    expect(answer).toMatchObject({ userId: id, revokedSessions: 1n });
    expect(await rpcs.credentials.confirmPasswordReset(confirmation)).toEqual(answer);
    const again = await failure(rpcs.credentials.confirmPasswordReset({ token, newPassword: PASSWORD }));
    expect([again.code, reasonOf(again)]).toEqual([Code.FailedPrecondition, 'TOKEN_NOT_USABLE']);

    expect(await isActive(accessToken)).toBe(false);
    const lost = await failure(rpcs.tokens.refreshToken({ refreshToken }));
    expect(reasonOf(lost)).toBe('INVALID_REFRESH_TOKEN');
    const { user } = await signIn(email, OTHER);
    expect(user?.verifyTime).toBeDefined();
    expect(reasonOf(await failure(signIn(email)))).toBe('INVALID_CREDENTIALS');
    await expect.poll(() => subjectsTo(email)).toContain('Your password was changed');
  });

  it('is answered the same where nobody has the address, and no mail leaves', async () => {
    const { email } = await registered();
    const nobody = newEmail();
    const answers = [
      await rpcs.credentials.requestPasswordReset({ email: nobody, device: newDevice() }),
      await rpcs.credentials.requestPasswordReset({ email, device: newDevice() }),
    ];
    expect(answers[0]).toEqual(answers[1]);
    await mailedToken(mails, email, RESET);
    expect(mailsTo(mails, nobody)).toEqual([]);
  });
});

describe('an address', () => {
  it('is verified with the token of the newest mail, once', async () => {
    const { email, id } = await registered();
    const first = await mailedToken(mails, email, VERIFY);
    await rpcs.users.sendEmailVerification({ id });
    const token = await mailedToken(mails, email, VERIFY, 2);
    const replaced = await failure(rpcs.users.verifyEmail({ token: first }));
    expect(reasonOf(replaced)).toBe('TOKEN_NOT_USABLE');
    const { user } = await rpcs.users.verifyEmail({ token });
    expect(user).toMatchObject({ id, verifyTime: expect.anything() });
    expect(reasonOf(await failure(rpcs.users.verifyEmail({ token })))).toBe('TOKEN_NOT_USABLE');
    const done = await failure(rpcs.users.sendEmailVerification({ id }));
    expect([done.code, reasonOf(done)]).toEqual([Code.FailedPrecondition, 'EMAIL_ALREADY_VERIFIED']);
  });

  it('that was changed takes no token of the one before, is unverified, and the old one is told', async () => {
    const { email, id } = await registered();
    const token = await mailedToken(mails, email, VERIFY);
    await rpcs.users.updateUser({ user: { id, email: newEmail() }, updateMask: { paths: ['email'] } });
    expect(reasonOf(await failure(rpcs.users.verifyEmail({ token })))).toBe('TOKEN_NOT_USABLE');
    await expect.poll(() => subjectsTo(email)).toContain('Your e-mail address was changed');
  });
});

describe('a new password', () => {
  it('ends all sessions but the one it is set in, and is answered the same when sent again', async () => {
    const { email, id } = await registered();
    const [own, other] = [await signIn(email), await signIn(email)];
    const change = {
      userId: id,
      currentPassword: PASSWORD,
      newPassword: OTHER,
      sessionId: own.session?.id ?? '',
      device: newDevice(),
      requestId: randomUUID(),
    };
    for (let time = 0; time < 2; time += 1) {
      expect((await rpcs.credentials.changePassword(change)).revokedSessions).toBe(1n);
    }
    expect([await isActive(own.accessToken), await isActive(other.accessToken)]).toEqual([true, false]);
    await rpcs.tokens.refreshToken({ refreshToken: own.refreshToken });
    await signIn(email, OTHER);
  });

  it.each([
    ['too short', 'nine char', 'must have at least 10 characters'],
    ['too long', 'x9'.repeat(65), 'must have at most 128 characters'],
    ['repeated', 'abcabcabcabc', 'must not be a few characters that are repeated'],
    ['a sequence', '1234567890', 'must not be a sequence'],
    ['the address', 'ada.lovelace', 'must not be the e-mail address'],
    ['common', 'basketball1', 'must not be on the list of common and breached passwords'],
    ['on our own list', 'our old office wifi', 'must not be on the list of common and breached passwords'],
  ])('that is %s is refused with the reason', async (_, password, reason) => {
    const email = `ada.lovelace@${randomUUID()}.example.com`;
    const error = await failure(rpcs.auth.register({ email, password, device: newDevice() }));
    expect(error.code).toBe(Code.InvalidArgument);
    const [violation] = error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
    expect(violation?.field).toBe('password');
    expect(violation?.description).toContain(reason);
    expect(violation?.description).not.toContain(password);
  });
});

it('a user who was imported with a bcrypt hash signs in, and from then on has an argon2id hash', async () => {
  const email = newEmail();
  const passwordHash = await bcrypt(PASSWORD, 8);
  async function* imported() {
    yield { email, passwordHash };
  }
  expect((await rpcs.users.importUsers(imported())).importedCount).toBe(1n);
  const stored = async () =>
    await withTestClient(database.url, async (client) => {
      const text = 'select password_hash from user_service.users where email = $1';
      return (await client.query<{ password_hash: string }>(text, [email])).rows[0]?.password_hash;
    });
  await failure(signIn(email, OTHER));
  expect(await stored()).toBe(passwordHash);
  await signIn(email);
  expect(await stored()).toMatch(/^\$argon2id\$v=19\$/);
  await signIn(email);
  expect(reasonOf(await failure(signIn(email, OTHER)))).toBe('INVALID_CREDENTIALS');
});
