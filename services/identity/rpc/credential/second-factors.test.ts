import { randomUUID } from 'node:crypto';
import { type Client, Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CredentialService } from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import { readQrSvg } from '../../domain/testing-qr-reader.ts';
import { eventsIn } from '../../storage/testing-credentials.ts';
import { openTestOrm, type TestOrm } from '../../storage/testing-orm.ts';
import { fromBase32, TestSecondFactors } from '../../storage/testing-second-factors.ts';
import { requestKeysFrom } from '../request-key.ts';
import { partialTable, testClient } from '../testing-client.ts';
import { beginTotpEnrollment } from './begin-totp-enrollment.ts';
import { confirmTotpEnrollment } from './confirm-totp-enrollment.ts';
import { listSecondFactors } from './list-second-factors.ts';
import { regenerateRecoveryCodes } from './regenerate-recovery-codes.ts';
import { removeTotp } from './remove-totp.ts';
import { resetSecondFactors } from './reset-second-factors.ts';

const DEVICE = { id: 'device-1', fingerprint: 'fp-1', ipAddress: '192.0.2.1' };

let db: TestOrm;
let factors: TestSecondFactors;
let credentials: Client<typeof CredentialService>;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  factors = await TestSecondFactors.open(db);
  credentials = client();
});

/** The handlers behind the pipeline, for a caller with these scopes. */
function client(scopes?: readonly string[]): Client<typeof CredentialService> {
  const context = { secondFactors: factors.deps, requestKeys: requestKeysFrom(new Uint8Array(32)) };
  const table = partialTable(CredentialService, {
    listSecondFactors: listSecondFactors(context),
    beginTotpEnrollment: beginTotpEnrollment(context),
    confirmTotpEnrollment: confirmTotpEnrollment(context),
    removeTotp: removeTotp(context),
    regenerateRecoveryCodes: regenerateRecoveryCodes(context),
    resetSecondFactors: resetSecondFactors(context),
  });
  return testClient(CredentialService, table, { name: 'web', scopes });
}

/** Sets up an authenticator app through the calls. */
async function enroll(accessToken: string) {
  const begun = await credentials.beginTotpEnrollment({ accessToken, device: DEVICE });
  const app = factors.app(fromBase32(begun.secret));
  return { begun, app, ...(await credentials.confirmTotpEnrollment({ accessToken, code: app.code() })) };
}

describe('an authenticator app', () => {
  it('is set up from what the user scans', async () => {
    const { accessToken } = await factors.signIn();
    const { begun, recoveryCodes } = await enroll(accessToken);
    expect(begun.otpauthUri).toBe(
      `otpauth://totp/OPTIX:Ada%40example.com?secret=${begun.secret}&issuer=OPTIX&algorithm=SHA1&digits=6&period=30`,
    );
    expect(readQrSvg(begun.qrSvg)).toBe(begun.otpauthUri);
    const seconds = Number(begun.expireTime?.seconds) - Date.now() / 1000;
    expect(seconds).toBeGreaterThan(590);
    expect(seconds).toBeLessThanOrEqual(600);
    expect(recoveryCodes).toHaveLength(10);
    const listed = await credentials.listSecondFactors({ userId: factors.ada.id });
    expect(listed).toMatchObject({ enabled: true, passkeys: [], recoveryCodesLeft: 10 });
    expect(listed.totpCreateTime).toBeDefined();
  });

  it('is refused for a wrong code, and a second time', async () => {
    const { accessToken } = await factors.signIn();
    await credentials.beginTotpEnrollment({ accessToken });
    const wrong = await failure(credentials.confirmTotpEnrollment({ accessToken, code: 'abcdef' }));
    expect([wrong.code, reasonOf(wrong)]).toEqual([Code.Unauthenticated, 'SECOND_FACTOR_REFUSED']);
    const { app } = await enroll(accessToken);
    const strong = await factors.signIn(['pwd', 'otp']);
    const again = await failure(
      credentials.confirmTotpEnrollment({ accessToken: strong.accessToken, code: app.code() }),
    );
    expect([again.code, reasonOf(again)]).toEqual([Code.FailedPrecondition, 'TOTP_NOT_ENROLLING']);
  });

  it('is removed once', async () => {
    await enroll((await factors.signIn()).accessToken);
    const { accessToken } = await factors.signIn(['pwd', 'otp']);
    await credentials.removeTotp({ accessToken, device: DEVICE });
    const none = await credentials.listSecondFactors({ userId: factors.ada.id });
    expect(none).toMatchObject({ enabled: false, recoveryCodesLeft: 0 });
    expect(none.totpCreateTime).toBeUndefined();
    const again = await failure(credentials.removeTotp({ accessToken }));
    expect([again.code, reasonOf(again)]).toEqual([Code.NotFound, 'SECOND_FACTOR_NOT_FOUND']);
    expect((await eventsIn(db)).at(-1)).toMatchObject({
      event_type: 'second_factor_removed',
      ip_address: '192.0.2.1',
      device_fingerprint: 'fp-1',
    });
  });

  it('whose stored secret opens no more fails without telling why', async () => {
    const { accessToken } = await factors.signIn();
    const { secret } = await credentials.beginTotpEnrollment({ accessToken });
    await db.rows(`update user_service.totp_authenticators set secret = ''`);
    const refused = await failure(
      credentials.confirmTotpEnrollment({ accessToken, code: factors.app(fromBase32(secret)).code() }),
    );
    expect(refused.code).toBe(Code.Internal);
    expect(refused.message).not.toMatch(/secret|key|k1/);
  });
});

describe('a passkey', () => {
  it('is listed', async () => {
    await factors.addPasskey();
    const { passkeys } = await credentials.listSecondFactors({ userId: factors.ada.id });
    expect(passkeys).toMatchObject([
      {
        userId: factors.ada.id,
        name: 'Laptop',
        credentialId: expect.stringMatching(/^[\w-]{43}$/),
        aaguid: '',
        transports: ['internal'],
        multiDevice: false,
        backedUp: false,
      },
    ]);
    expect(passkeys[0]?.lastUseTime).toBeUndefined();
  });
});

describe('recovery codes', () => {
  it('are made anew, where there is a second factor', async () => {
    const { accessToken } = await factors.signIn();
    const refused = await failure(credentials.regenerateRecoveryCodes({ accessToken }));
    expect([refused.code, reasonOf(refused)]).toEqual([Code.FailedPrecondition, 'SECOND_FACTOR_NOT_ENABLED']);
    await enroll(accessToken);
    const strong = await factors.signIn(['pwd', 'otp']);
    const { recoveryCodes } = await credentials.regenerateRecoveryCodes({ accessToken: strong.accessToken });
    expect(recoveryCodes).toHaveLength(10);
  });
});

describe('a reset', () => {
  it('says how many sessions ended, and is done once for a request', async () => {
    await enroll((await factors.signIn()).accessToken);
    const request = { userId: factors.ada.id, actor: 'op-7', reason: 'lost phone', requestId: 'r-1' };
    expect((await credentials.resetSecondFactors(request)).revokedSessions).toBe(1n);
    await factors.signIn();
    expect((await credentials.resetSecondFactors(request)).revokedSessions).toBe(1n);
    const other = await failure(credentials.resetSecondFactors({ ...request, reason: 'another' }));
    expect([other.code, reasonOf(other)]).toEqual([Code.FailedPrecondition, 'REQUEST_ID_REUSED']);
    expect((await eventsIn(db)).at(-1)).toMatchObject({
      metadata: { caller: 'web', actor: 'op-7', reason: 'lost phone' },
    });
  });

  it('needs the scope users.admin', async () => {
    const refused = await failure(
      client(['auth', 'users.read']).resetSecondFactors({ userId: factors.ada.id }),
    );
    expect(refused.code).toBe(Code.PermissionDenied);
  });

  it('needs a user', async () => {
    for (const call of [credentials.resetSecondFactors, credentials.listSecondFactors]) {
      const refused = await failure(call({ userId: randomUUID() }));
      expect([refused.code, reasonOf(refused)]).toEqual([Code.NotFound, 'USER_NOT_FOUND']);
    }
  });
});

describe('a request that is not good', () => {
  const cases: readonly [string, () => Promise<unknown>, readonly string[]][] = [
    ['a list without user', () => credentials.listSecondFactors({}), ['user_id']],
    ['an enrolment without token', () => credentials.beginTotpEnrollment({}), ['access_token']],
    [
      'an enrolment from nowhere',
      () => credentials.beginTotpEnrollment({ accessToken: 'a', device: { ipAddress: 'x' } }),
      ['device.ip_address'],
    ],
    ['an empty confirmation', () => credentials.confirmTotpEnrollment({}), ['access_token', 'code']],
    ['a removal without token', () => credentials.removeTotp({}), ['access_token']],
    [
      'a token without end',
      () => credentials.regenerateRecoveryCodes({ accessToken: 'a'.repeat(8193) }),
      ['access_token'],
    ],
    [
      'a reset of nobody by everybody',
      () => credentials.resetSecondFactors({ userId: '1', actor: 'a'.repeat(129), reason: 'a\nb' }),
      ['user_id', 'actor', 'reason'],
    ],
    [
      'a reset with an id that is too long',
      () => credentials.resetSecondFactors({ userId: factors.ada.id, requestId: 'a'.repeat(129) }),
      ['request_id'],
    ],
  ];

  it.each(cases)('%s names the fields', async (_what, call, fields) => {
    const refused = await failure(call());
    expect([refused.code, fieldsOf(refused)]).toEqual([Code.InvalidArgument, fields]);
    expect(await eventsIn(db)).toEqual([]);
  });

  it('a token that is none is told as such', async () => {
    const refused = await failure(credentials.beginTotpEnrollment({ accessToken: 'nonsense' }));
    expect([refused.code, reasonOf(refused)]).toEqual([Code.Unauthenticated, 'INVALID_ACCESS_TOKEN']);
  });

  it('a session that is not fresh is told what is asked for', async () => {
    const { accessToken } = await factors.signIn();
    await enroll(accessToken);
    const refused = await failure(credentials.removeTotp({ accessToken }));
    expect([refused.code, reasonOf(refused)]).toEqual([Code.FailedPrecondition, 'REAUTHENTICATION_REQUIRED']);
  });
});
