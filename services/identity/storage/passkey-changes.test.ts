import { randomBytes } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ReauthenticationRequired } from '../domain/challenges/errors.ts';
import type { Passkey } from '../domain/passkeys/passkey.ts';
import { deletePasskey } from '../domain/second-factors/delete-passkey.ts';
import { SecondFactorNotFound } from '../domain/second-factors/errors.ts';
import { updatePasskey } from '../domain/second-factors/update-passkey.ts';
import type { Uuid } from '../domain/uuid.ts';
import { eventsIn } from './testing-credentials.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TestPasskeys } from './testing-passkeys.ts';
import type { TestSignIn } from './testing-second-factors.ts';

let db: TestOrm;
let passkeys: TestPasskeys;
let signedIn: TestSignIn;
/** Holds Ada's passkey, and does not count. */
let authenticator: ReturnType<TestPasskeys['authenticator']>;
let passkey: Passkey;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  passkeys = await TestPasskeys.open(db);
  signedIn = await passkeys.factors.signIn(['pwd', 'otp']);
  authenticator = passkeys.authenticator();
  ({ passkey } = await passkeys.register(signedIn, authenticator));
  await db.rows('truncate user_service.security_events, user_service.outgoing_mails');
});

const rename = (by: TestSignIn, name: string | null, passkeyId = passkey.id) =>
  updatePasskey(passkeys.deps, { ...by, passkeyId, name });
const remove = (by: TestSignIn, passkeyId = passkey.id) => deletePasskey(passkeys.deps, { ...by, passkeyId });

async function anotherUser(): Promise<TestSignIn> {
  const { factors } = passkeys;
  return await factors.signIn(['pwd', 'otp'], await factors.identity.register('grace@example.com'));
}

describe('a new name', () => {
  test('is kept, and the audit log is told of it but not which', async () => {
    expect(await rename(signedIn, 'My key')).toEqual({ ...passkey, name: 'My key' });
    expect(await passkeys.stored()).toMatchObject([{ id: passkey.id, name: 'My key' }]);
    const events = await eventsIn(db);
    expect(events).toMatchObject([
      {
        event_type: 'passkey_renamed',
        severity: 'info',
        session_id: signedIn.sessionId,
        metadata: { passkey_id: passkey.id },
      },
    ]);
    expect(JSON.stringify(events)).not.toContain('My key');
    expect(await rename(signedIn, null)).toEqual(passkey);
  });

  test('takes no authentication of lately', async () => {
    passkeys.factors.identity.ahead += 601_000;
    expect(await rename(signedIn, 'My key')).toMatchObject({ name: 'My key' });
  });

  test('is for the user’s own passkeys', async () => {
    await expect(rename(await anotherUser(), 'mine')).rejects.toThrow(SecondFactorNotFound);
    await expect(rename(signedIn, 'mine', uuidV7() as Uuid)).rejects.toThrow(SecondFactorNotFound);
    expect(await passkeys.stored()).toMatchObject([{ name: null }]);
  });
});

describe('a passkey that is removed', () => {
  test('as the last second factor takes recovery codes and the trust in devices with it, and its user is told', async () => {
    const { ada, mailbox } = passkeys.factors;
    await db.rows(
      `insert into user_service.trusted_devices (id, user_id, trust_token_hash, created_at, last_seen_at, use_count, expires_at)
       values ($1, $2, $3, now(), now(), 0, now() + interval '1 d')`,
      [uuidV7(), ada.id, randomBytes(32)],
    );
    await remove(signedIn);
    expect(await passkeys.stored()).toEqual([]);
    expect(await db.rows('select 1 from user_service.recovery_codes')).toEqual([]);
    expect(await passkeys.account()).toMatchObject({ mfa_enabled: false, mfa_type: null });
    expect(await db.rows('select revocation_reason from user_service.trusted_devices')).toEqual([
      { revocation_reason: 'second_factor_removed' },
    ]);
    expect(await eventsIn(db)).toMatchObject([
      {
        event_type: 'second_factor_removed',
        severity: 'medium',
        session_id: signedIn.sessionId,
        metadata: { factor: 'passkey', passkey_id: passkey.id },
      },
    ]);
    const message = { template: 'second_factor_removed', factor: 'passkey' };
    expect(await mailbox.receive()).toMatchObject([{ to: 'Ada@example.com', message }]);
  });

  test('leaves the others', async () => {
    const other = await passkeys.register(signedIn, passkeys.authenticator());
    await remove(signedIn);
    expect(await passkeys.stored()).toMatchObject([{ id: other.passkey.id }]);
    expect(await passkeys.account()).toMatchObject({ mfa_enabled: true, mfa_type: 'webauthn' });
    expect(await db.rows('select 1 from user_service.recovery_codes')).toHaveLength(10);
  });

  test('is removed once of 20 times at once', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => remove(signedIn)));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(19);
    for (const { reason } of refused) expect(reason).toBeInstanceOf(SecondFactorNotFound);
    expect(await eventsIn(db)).toHaveLength(1);
  });

  test('is refused from then on, and no use that is under way waits for the removal and it for that', async () => {
    const uses = Array.from({ length: 100 }, () => passkeys.verify(authenticator));
    const removed = remove(signedIn);
    const outcomes = await Promise.all(uses);
    await removed;
    for (const outcome of outcomes) {
      if ('refused' in outcome) expect(outcome.refused).toBe('wrong_credential');
      else expect(outcome.passkey.id).toBe(passkey.id);
    }
    expect(await passkeys.verify(authenticator)).toEqual({ refused: 'wrong_credential' });
  });

  test('was removed by its own user, who authenticated lately', async () => {
    const grace = await anotherUser();
    const before = await eventsIn(db);
    await expect(remove(grace)).rejects.toThrow(SecondFactorNotFound);
    const byPassword = await passkeys.factors.signIn(['pwd']);
    await expect(remove(byPassword)).rejects.toThrow(ReauthenticationRequired);
    passkeys.factors.identity.ahead += 600_001;
    await expect(remove(signedIn)).rejects.toThrow(ReauthenticationRequired);
    expect(await passkeys.stored()).toHaveLength(1);
    expect(await eventsIn(db)).toEqual(before);
  });
});
