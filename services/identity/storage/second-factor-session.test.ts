import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { InvalidAccessToken, ReauthenticationRequired } from '../domain/challenges/errors.ts';
import { beginTotpEnrollment } from '../domain/second-factors/begin-totp-enrollment.ts';
import { confirmTotpEnrollment } from '../domain/second-factors/confirm-totp-enrollment.ts';
import { regenerateRecoveryCodes } from '../domain/second-factors/regenerate-recovery-codes.ts';
import { removeTotp } from '../domain/second-factors/remove-totp.ts';
import { resetSecondFactors } from '../domain/second-factors/reset-second-factors.ts';
import type { SecondFactorDeps } from '../domain/second-factors/second-factor-deps.ts';
import { accountIn } from './testing-credentials.ts';
import { DEVICE } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TestSecondFactors } from './testing-second-factors.ts';
import { ORIGIN } from './users/testing-users.ts';

let db: TestOrm;
let factors: TestSecondFactors;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  factors = await TestSecondFactors.open(db);
});

const changes = {
  begin: (token: { accessToken: string }) => beginTotpEnrollment(factors.deps, { ...token, device: DEVICE }),
  confirm: (token: { accessToken: string }) =>
    confirmTotpEnrollment(factors.deps, { ...token, code: '123456', device: DEVICE }),
  remove: (token: { accessToken: string }) => removeTotp(factors.deps, { ...token, device: DEVICE }),
  regenerate: (token: { accessToken: string }) =>
    regenerateRecoveryCodes(factors.deps, { ...token, device: DEVICE }),
};

describe.each(Object.entries(changes))('who would %s', (_name, change) => {
  test('has authenticated within the last minutes', async () => {
    const signedIn = await factors.signIn();
    factors.identity.ahead += 600_001;
    await expect(change(signedIn)).rejects.toEqual(new ReauthenticationRequired(600, 'aal1'));
  });

  test('has shown the second factor that there is', async () => {
    await factors.enroll(await factors.signIn());
    const refused = change(await factors.signIn(['pwd']));
    await expect(refused).rejects.toEqual(new ReauthenticationRequired(600, 'aal2'));
  });

  test('has a session that goes on', async () => {
    const signedIn = await factors.signIn();
    await db.rows(
      `update user_service.sessions_history set terminated_at = now(), termination_reason = 'revoked'`,
    );
    await expect(change(signedIn)).rejects.toBeInstanceOf(InvalidAccessToken);
    await expect(change({ accessToken: 'nonsense' })).rejects.toBeInstanceOf(InvalidAccessToken);
  });
});

test.each<[string, () => Promise<unknown>]>([
  ['suspended', () => db.rows(`update user_service.users set status = 'suspended'`)],
  ['deleted', () => db.rows(`update user_service.users set status = 'deleted', deleted_at = now()`)],
  [
    'reset',
    () => resetSecondFactors(factors.deps, { userId: factors.ada.id, origin: ORIGIN, requestKey: null }),
  ],
])(
  'nothing is changed for an account that was %s while the change was on its way',
  async (_what, interrupt) => {
    const signedIn = await factors.signIn();
    const app = await factors.beginEnrollment(signedIn);
    const { unitOfWork } = factors.identity;
    const deps: SecondFactorDeps = {
      ...factors.deps,
      unitOfWork: {
        // After the token was found good, and before the change is written.
        transactional: async (work) => {
          await interrupt();
          return await unitOfWork.transactional(work);
        },
      },
    };
    const refused = confirmTotpEnrollment(deps, { ...signedIn, code: app.code() });
    await expect(refused).rejects.toBeInstanceOf(InvalidAccessToken);
    expect(await accountIn(db)).toMatchObject({ mfa_enabled: false });
  },
);
