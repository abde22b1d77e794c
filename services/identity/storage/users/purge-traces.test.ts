import { afterAll, beforeAll, expect, test } from 'vitest';
import { changePassword } from '../../domain/credentials/change-password.ts';
import { lockoutPolicies } from '../../domain/credentials/lockout-policy.ts';
import { requestPasswordReset } from '../../domain/credentials/request-password-reset.ts';
import { sendEmailVerification } from '../../domain/credentials/send-email-verification.ts';
import { deleteUser } from '../../domain/users/delete-user.ts';
import { purgeUser } from '../../domain/users/purge-user.ts';
import { updateProfile } from '../../domain/users/update-profile.ts';
import { DEVICE, email, PASSWORD } from '../testing-identity.ts';
import { TestMailbox } from '../testing-mailbox.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { change, requestKey, TestUsers } from './testing-users.ts';

let db: TestOrm;
let users: TestUsers;
beforeAll(async () => {
  db = await openTestOrm();
  users = new TestUsers(db);
});
afterAll(() => db[Symbol.asyncDispose]());

/** What the database says about the person who is registered below. */
const TRACES = [
  'ada@example',
  'lady@example',
  'Lovelace',
  '+4915112345678',
  DEVICE.id,
  DEVICE.fingerprint,
  DEVICE.userAgent,
] as const;

/** Each trace that is left, with the tables it is left in. */
async function tracesLeft(): Promise<string[]> {
  const tables = await db.rows(`select tablename from pg_tables where schemaname = 'user_service'`);
  const left: string[] = [];
  for (const { tablename } of tables) {
    const rows = await db.rows(`select t::text as row from user_service.${tablename} t`);
    const text = rows.map(({ row }) => row).join('\n');
    for (const trace of TRACES)
      if (trace !== null && text.includes(trace)) left.push(`${tablename}: ${trace}`);
  }
  return left;
}

test('after everything that can happen to an account, a purge leaves no trace of the person', async () => {
  const { identity } = users;
  const mailbox = new TestMailbox(db, identity);
  Object.assign(identity, {
    lockout: lockoutPolicies({ accountThreshold: 2, networkThreshold: 3, baseSeconds: 60, maxSeconds: 60 }),
  });
  const ada = await identity.register('ada@example.com', undefined, requestKey('register'));
  await requestPasswordReset(identity, { email: email('ada@example.com'), device: DEVICE });
  await mailbox.receive();
  await identity.signIn('ada@example.com');
  const { session } = await identity.signIn('ada@example.com');
  await changePassword(
    identity,
    {
      userId: ada.id,
      currentPassword: PASSWORD,
      newPassword: PASSWORD,
      sessionId: session.id,
      device: DEVICE,
    },
    requestKey('change'),
  );
  for (let times = 0; times < 3; times += 1) {
    await expect(identity.signIn('ada@example.com', 'wrong')).rejects.toThrow();
  }
  const renamed = { email: email('lady@example.com') };
  await updateProfile(users, change(ada, { requestKey: requestKey('update') }), renamed, () => undefined);
  await sendEmailVerification(identity, ada.id, requestKey('send'));
  const types = await db.rows('select distinct event_type from user_service.security_events');
  expect(types.map((row) => row['event_type'])).toEqual(
    expect.arrayContaining(['account_locked', 'network_locked', 'password_changed', 'user_updated']),
  );
  expect(await tracesLeft()).not.toEqual([]);

  await deleteUser(users, change(ada, { requestKey: requestKey('delete') }));
  await purgeUser(users, change(ada, { requestKey: requestKey('purge') }));
  expect(await tracesLeft()).toEqual([]);
});
