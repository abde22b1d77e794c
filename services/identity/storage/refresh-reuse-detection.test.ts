import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Response } from '../domain/detection/rules.ts';
import { testPolicy } from '../domain/detection/testing-policy.ts';
import { endUserSessions } from '../domain/end-sessions.ts';
import { InvalidCredentials, InvalidRefreshToken } from '../domain/errors.ts';
import type { RefreshDeps } from '../domain/refresh.ts';
import type { User } from '../domain/user.ts';
import { freshAccount, liveSessionsIn } from './testing-credentials.ts';
import type { TestIdentity } from './testing-identity.ts';
import type { TestMailbox } from './testing-mailbox.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TestRefresh } from './testing-refresh.ts';

let db: TestOrm;
let identity: TestIdentity;
let mailbox: TestMailbox;
let ada: User;
let refreshing: TestRefresh;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  ({ identity, mailbox, ada } = await freshAccount(db));
  refreshing = new TestRefresh(db);
});

const answeredBy = (refresh_token_reuse: Response): RefreshDeps => ({
  ...refreshing.replica(0),
  unitOfWork: identity.unitOfWork,
  accessTokens: identity.accessTokens,
  detectionPolicy: testPolicy({ refresh_token_reuse }),
});

/** Uses the first token of a new session of Ada's twice. */
async function reuse(on: RefreshDeps): Promise<void> {
  const { token } = await refreshing.signIn(ada.id);
  await refreshing.use(token, on);
  await expect(refreshing.use(token, on)).rejects.toEqual(new InvalidRefreshToken());
}

const MAIL = {
  to: 'Ada@example.com',
  message: { template: 'security_alert', finding: 'refresh_token_reuse' },
};

test.each([
  ['record', []],
  ['notify', [MAIL]],
  ['lock', [MAIL]],
] as const)('a refresh token that is used again, by %s: its session ends', async (response, mails) => {
  await reuse(answeredBy(response));
  expect(await refreshing.events('refresh_token_reused')).toMatchObject([
    { severity: 'high', user_id: ada.id },
  ]);
  expect(await liveSessionsIn(db)).toEqual([]);
  expect(await mailbox.receive()).toMatchObject(mails);
});

test('lock keeps the user from signing in for an hour, and leaves other sessions', async () => {
  const other = await refreshing.signIn(ada.id);
  await reuse(answeredBy('lock'));
  expect(await refreshing.events('account_locked')).toMatchObject([
    { user_id: ada.id, metadata: { reason: 'refresh_token_reuse' } },
  ]);
  await expect(identity.signIn('ada@example.com')).rejects.toEqual(new InvalidCredentials());
  expect(await liveSessionsIn(db)).toEqual([other.sessionId]);
  identity.ahead += 3_601_000;
  await identity.signIn('ada@example.com');
});

test('of several at one moment one is answered', async () => {
  const on = answeredBy('lock');
  const { token } = await refreshing.signIn(ada.id);
  await refreshing.use(token, on);
  const uses = await Promise.allSettled(Array.from({ length: 10 }, () => refreshing.use(token, on)));
  expect(uses.every(({ status }) => status === 'rejected')).toBe(true);
  expect(await refreshing.events('account_locked')).toHaveLength(1);
  expect(await mailbox.receive()).toHaveLength(1);
});

test('a lock and the end of all sessions at one moment do not wait for each other', async () => {
  const on = answeredBy('lock');
  for (let round = 0; round < 10; round += 1) {
    const { token } = await refreshing.signIn(ada.id);
    await refreshing.use(token, on);
    const ending = identity.unitOfWork.transactional((repositories) =>
      endUserSessions(repositories, { userId: ada.id, except: null, reason: 'revoked', at: identity.now() }),
    );
    const [reused, ended] = await Promise.allSettled([refreshing.use(token, on), ending]);
    expect(reused).toMatchObject({ status: 'rejected', reason: new InvalidRefreshToken() });
    expect(ended.status).toBe('fulfilled');
  }
});
