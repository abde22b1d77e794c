import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { collectingLogger } from '../../../testing/collecting-logger.ts';
import { writeMmdb } from '../../../testing/mmdb.ts';
import { authenticate } from '../domain/authenticate.ts';
import { Detector } from '../domain/detection/detector.ts';
import type { Places } from '../domain/detection/place.ts';
import { allowedResponses, type DetectionRule, type Response } from '../domain/detection/rules.ts';
import { testPolicy } from '../domain/detection/testing-policy.ts';
import type { Device } from '../domain/device.ts';
import { InvalidCredentials } from '../domain/errors.ts';
import type { IpAddress } from '../domain/ip-address.ts';
import type { User } from '../domain/user.ts';
import { openPlaces } from '../parts/geo-ip.ts';
import { StoredSignInHistory } from './sign-in-history.ts';
import { accountIn, freshAccount } from './testing-credentials.ts';
import { DEVICE, email, PASSWORD, type TestIdentity } from './testing-identity.ts';
import type { TestMailbox } from './testing-mailbox.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const LONDON = '203.0.113.7' as IpAddress;
const PARIS = '198.51.100.7' as IpAddress;
const SYDNEY = '2001:db8:5::7' as IpAddress;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const resources = new AsyncDisposableStack();
let db: TestOrm;
let places: Places;
let identity: TestIdentity;
let mailbox: TestMailbox;
let ada: User;
beforeAll(async () => {
  db = resources.use(await openTestOrm());
  const directory = await mkdtemp(join(tmpdir(), 'sign-in-detection-'));
  resources.defer(() => rm(directory, { recursive: true }));
  const file = join(directory, 'places.mmdb');
  writeMmdb(file, {
    '203.0.113.0/24': city('GB', 51.5, -0.1),
    '198.51.100.0/24': city('FR', 48.9, 2.4),
    '2001:db8:5::/48': city('AU', -33.9, 151.2),
  });
  places = await openPlaces(file, resources, collectingLogger().logger);
});
afterAll(() => resources.disposeAsync());
beforeEach(async () => {
  ({ identity, mailbox, ada } = await freshAccount(db));
});

function city(country: string, latitude: number, longitude: number): object {
  return { country: { iso_code: country }, location: { latitude, longitude, accuracy_radius: 20 } };
}

/** Sets the responses of rules; the others stay as they are unless set otherwise. */
function answer(responses: Partial<Record<DetectionRule, Response>>): void {
  const history = new StoredSignInHistory(db.orm.em);
  Object.assign(identity, { detection: new Detector({ policy: testPolicy(responses), places, history }) });
}

const NO_RULE = { new_device: 'off', new_country: 'off', impossible_travel: 'off' } as const;
const elsewhere: Device = { ...DEVICE, id: 'device-2', fingerprint: 'fp-2', name: 'Phone' };
const from = (ipAddress: IpAddress, device: Device = DEVICE): Device => ({ ...device, ipAddress });
const signIn = (device: Device) =>
  authenticate(identity, { email: email('ada@example.com'), password: PASSWORD, device });
/** What sign-ins were found to be, oldest first. */
const found = () =>
  db.rows(
    `select * from user_service.security_events where event_type in ('new_device', 'new_country', 'impossible_travel')
     order by id`,
  );
const types = async () => (await found()).map((event) => event['event_type']);
const events = (type: string) =>
  db.rows('select * from user_service.security_events where event_type = $1', [type]);

/** What makes each rule find something. */
const OCCASIONS: Record<'new_device' | 'new_country' | 'impossible_travel', [first: Device, then: Device]> = {
  new_device: [DEVICE, elsewhere],
  new_country: [from(LONDON), from(PARIS)],
  impossible_travel: [from(LONDON), from(SYDNEY)],
};
const RULES = Object.keys(OCCASIONS) as (keyof typeof OCCASIONS)[];

describe('a sign-in that does not fit the ones before', () => {
  beforeEach(() => answer({}));

  test('the first one fits, whatever it is', async () => {
    await signIn(from(SYDNEY));
    expect(await found()).toEqual([]);
  });

  test('from a device not seen before', async () => {
    await signIn(DEVICE);
    await signIn(elsewhere);
    await signIn({ ...elsewhere, id: null });
    await signIn(DEVICE);
    expect(await found()).toMatchObject([
      {
        event_type: 'new_device',
        severity: 'low',
        user_id: ada.id,
        device_id: 'device-2',
        metadata: { past_sign_ins: 1, response: 'notify' },
      },
    ]);
    expect(await mailbox.receive()).toMatchObject([
      { to: 'Ada@example.com', message: { template: 'security_alert', finding: 'new_device' } },
    ]);
  });

  test('from a country not seen before', async () => {
    await signIn(from(LONDON));
    await signIn(from(PARIS));
    await signIn(from(LONDON));
    await signIn(from(PARIS));
    expect(await found()).toMatchObject([
      {
        event_type: 'new_country',
        severity: 'medium',
        metadata: { country: 'FR', seen_countries: ['GB'], response: 'notify' },
      },
    ]);
  });

  test('from farther away than anybody travels: also a known country, and not a day later', async () => {
    await signIn(from(SYDNEY));
    identity.ahead += 2 * DAY_MS;
    await signIn(from(LONDON));
    expect(await types()).toEqual(['new_country']);
    identity.ahead += 30 * MINUTE_MS;
    await signIn(from(SYDNEY));
    expect(await found()).toMatchObject([
      { event_type: 'new_country' },
      {
        event_type: 'impossible_travel',
        severity: 'high',
        metadata: { from_country: 'GB', to_country: 'AU', distance_km: 17_000, response: 'step_up' },
      },
    ]);
  });

  test('is told of by one mail, of the gravest finding', async () => {
    await signIn(from(LONDON));
    await signIn(from(SYDNEY, elsewhere));
    expect(await types()).toEqual(['new_device', 'new_country', 'impossible_travel']);
    expect(await mailbox.receive()).toMatchObject([{ message: { finding: 'impossible_travel' } }]);
  });

  test('and what is written of it names no address, no coordinates and no device', async () => {
    await signIn(from(LONDON));
    await signIn(from(SYDNEY, elsewhere));
    for (const { description, metadata } of await found()) {
      const text = `${description} ${JSON.stringify(metadata)}`;
      expect(text).not.toMatch(/2001|203\.|-33|151\.|-2\b|example\.com/);
    }
  });

  test('is seen among the last 50 only', async () => {
    answer({ ...NO_RULE, new_device: 'record' });
    await signIn(elsewhere);
    for (let times = 0; times < 50; times += 1) await signIn(DEVICE);
    expect(await types()).toEqual(['new_device']);
    await signIn(elsewhere);
    expect(await types()).toEqual(['new_device', 'new_device']);
  });

  test('with a wrong password is not looked at', async () => {
    await signIn(DEVICE);
    const wrong = { email: email('ada@example.com'), password: 'wrong', device: from(SYDNEY, elsewhere) };
    await expect(authenticate(identity, wrong)).rejects.toEqual(new InvalidCredentials());
    expect(await found()).toEqual([]);
  });

  test('leaves nothing where the session can not be written', async () => {
    await signIn(DEVICE);
    await db.rows(
      'alter table user_service.sessions_history add constraint test_refuses check (false) not valid',
    );
    try {
      await expect(signIn(elsewhere)).rejects.toMatchObject({ constraint: 'test_refuses' });
    } finally {
      await db.rows('alter table user_service.sessions_history drop constraint test_refuses');
    }
    expect(await found()).toEqual([]);
    expect(await mailbox.receive()).toEqual([]);
  });
});

describe.each(RULES)('%s is answered', (rule) => {
  const [first, then] = OCCASIONS[rule];
  const use = (response: Response) => answer({ ...NO_RULE, [rule]: response });

  test('by all responses that are allowed', () => {
    expect(allowedResponses(rule)).toEqual(['off', 'record', 'notify', 'step_up', 'lock']);
  });

  test('off: by nothing', async () => {
    use('off');
    await signIn(first);
    await signIn(then);
    expect(await found()).toEqual([]);
    expect(await mailbox.receive()).toEqual([]);
  });

  test('record: by an event', async () => {
    use('record');
    await signIn(first);
    await signIn(then);
    expect(await found()).toMatchObject([{ event_type: rule, metadata: { response: 'record' } }]);
    expect(await mailbox.receive()).toEqual([]);
  });

  test('notify: by an event and a mail', async () => {
    use('notify');
    await signIn(first);
    await signIn(then);
    expect(await types()).toEqual([rule]);
    expect(await mailbox.receive()).toMatchObject([
      { to: 'Ada@example.com', message: { template: 'security_alert', finding: rule } },
    ]);
  });

  test('step_up: by a mail, for who has no second factor', async () => {
    use('step_up');
    await signIn(first);
    expect(await signIn(then)).toHaveProperty('session');
    expect(await found()).toMatchObject([{ event_type: rule, metadata: { response: 'step_up' } }]);
    expect(await mailbox.receive()).toMatchObject([{ message: { finding: rule } }]);
  });

  test('step_up: by no mail, for who is asked for a second factor', async () => {
    use('step_up');
    await signIn(first);
    await db.rows(`update user_service.users set mfa_enabled = true, mfa_type = 'totp'`);
    const attempt = { userId: ada.id, device: then, at: identity.now() };
    const assessment = await identity.detection.assess(attempt);
    expect(assessment).toMatchObject({ stepUp: true, lock: false });
    await identity.unitOfWork.transactional((repositories) =>
      identity.detection.record(repositories, assessment, { ...attempt, sessionId: null }),
    );
    expect(await found()).toMatchObject([{ event_type: rule, session_id: null }]);
    expect(await mailbox.receive()).toEqual([]);
  });

  test('lock: by a refusal as of a wrong password; the account is locked and its owner told', async () => {
    use('lock');
    const opened = await signIn(first);
    await expect(signIn(then)).rejects.toEqual(new InvalidCredentials());
    expect(await found()).toMatchObject([
      { event_type: rule, session_id: null, metadata: { response: 'lock' } },
    ]);
    expect(await events('account_locked')).toMatchObject([
      { severity: 'medium', user_id: ada.id, metadata: { reason: rule, until: expect.any(String) } },
    ]);
    expect(await events('login_failed')).toMatchObject([{ metadata: { reason: 'detection_lock' } }]);
    expect(await mailbox.receive()).toMatchObject([{ message: { finding: rule } }]);
    // Its password was right: that is no failure to count.
    expect(await accountIn(db)).toMatchObject({ failed_login_attempts: 0 });

    // From where it was used before it is locked as well, for an hour. The session goes on.
    await expect(signIn(first)).rejects.toEqual(new InvalidCredentials());
    expect(await types()).toEqual([rule]);
    expect(await db.rows('select id from user_service.sessions_history where terminated_at is null')).toEqual(
      [{ id: (opened as { session: { id: string } }).session.id }],
    );
    identity.ahead += 60 * MINUTE_MS + 1000;
    await signIn(first);
  });
});

test('a lock that lasts longer stays', async () => {
  const until = new Date(identity.now().getTime() + DAY_MS);
  await db.rows('update user_service.users set locked_until = $1', [until]);
  const soon = new Date(identity.now().getTime() + MINUTE_MS);
  expect(await identity.credentials.lockAccount({ userId: ada.id, until: soon })).toBe('Ada@example.com');
  expect(await accountIn(db)).toMatchObject({ locked_until: until });
});

test('a deleted account is not locked', async () => {
  await db.rows(`update user_service.users set status = 'deleted', deleted_at = now()`);
  const until = new Date(identity.now().getTime() + DAY_MS);
  expect(await identity.credentials.lockAccount({ userId: ada.id, until })).toBeNull();
  expect(await accountIn(db)).toMatchObject({ locked_until: null });
});
