import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { IpAddress } from '../domain/ip-address.ts';
import { personalDigest } from '../domain/personal-digest.ts';
import type { SecurityEvent } from '../domain/security-event.ts';
import type { Uuid } from '../domain/uuid.ts';
import { SecurityEventRepository } from './security-event-repository.ts';
import { DEVICE } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let events: SecurityEventRepository;
beforeAll(async () => {
  db = await openTestOrm();
  events = new SecurityEventRepository(db.orm.em);
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(() => db.rows('truncate user_service.security_events, user_service.security_event_queue'));

const newId = () => uuidV7() as Uuid;
const event = (parts: Partial<SecurityEvent> = {}): SecurityEvent => ({
  id: newId(),
  type: 'login_succeeded',
  severity: 'info',
  description: 'A session was opened with a password.',
  userId: newId(),
  sessionId: newId(),
  device: DEVICE,
  metadata: { method: 'password', nested: { list: [1, 'two', null] } },
  createdAt: new Date('2026-11-22T10:00:00.123Z'),
  ...parts,
});
const nobody = { id: null, fingerprint: null, name: null, ipAddress: null, userAgent: null };

test('an event is read as it was appended, but for the device’s name', async () => {
  const full = event();
  const empty = event({ userId: null, sessionId: null, device: nobody, metadata: {} });
  await events.append(full);
  await events.append(empty);
  expect(await events.findById(full.id)).toEqual({
    ...full,
    device: { ...DEVICE, name: null },
    sequence: null,
    resolution: null,
  });
  expect(await events.findById(empty.id)).toEqual({ ...empty, sequence: null, resolution: null });
  expect(await events.findById(newId())).toBeNull();
});

test('an event waits for its seal from the moment it is there, and whoever asked is told', async () => {
  const one = event();
  let told = 0;
  const em = db.orm.em.fork();
  await em.begin();
  await new SecurityEventRepository(em, () => {
    told += 1;
  }).append(one);
  expect(told).toBe(1);
  expect(await db.rows('select event_id from user_service.security_event_queue')).toEqual([]);
  await em.commit();
  expect(await db.rows('select event_id from user_service.security_event_queue')).toEqual([
    { event_id: one.id },
  ]);
});

test.each(['203.0.113.9', '2001:db8::7', '2001:db8:0:1:1:1:1:1', '::102:304', '::1'])(
  'the address %s comes back in the spelling it went in by',
  async (address) => {
    const one = event({ device: { ...DEVICE, ipAddress: address as IpAddress } });
    await events.append(one);
    expect((await events.findById(one.id))?.device.ipAddress).toBe(address);
  },
);

describe('resolving', () => {
  const resolution = { at: new Date('2026-11-23T09:00:00Z'), by: 'operator', note: 'a test' };

  test('says who, when and why, once', async () => {
    const one = event({ severity: 'high' });
    await events.append(one);
    expect(await events.resolve(one.id, resolution)).toMatchObject({ id: one.id, resolution });
    expect(await events.resolve(one.id, { ...resolution, by: 'somebody else' })).toBeNull();
    expect((await events.findById(one.id))?.resolution).toEqual(resolution);
  });

  test('nothing where there is no such event', async () => {
    expect(await events.resolve(newId(), resolution)).toBeNull();
  });

  test('of twenty at once one succeeds', async () => {
    const one = event({ severity: 'critical' });
    await events.append(one);
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => events.resolve(one.id, { ...resolution, by: `operator-${i}` })),
    );
    expect(outcomes.filter((outcome) => outcome !== null)).toHaveLength(1);
  });
});

describe('what tells about a person', () => {
  const stored = async (id: Uuid) => {
    const [row] = await db.rows(
      `select device_id, device_fingerprint, host(ip_address) as ip, user_agent, personal_salt, personal_hash
       from user_service.security_events where id = $1`,
      [id],
    );
    return row;
  };

  test('is vouched for by a salted hash that what is stored leads to', async () => {
    const one = event();
    await events.append(one);
    const row = await stored(one.id);
    const recorded = await events.findById(one.id);
    expect(row?.['personal_salt']).toHaveLength(32);
    expect(personalDigest(row?.['personal_salt'] as Buffer, recorded?.device ?? nobody)).toEqual(
      row?.['personal_hash'],
    );
  });

  test('goes with its salt, and the hash stays', async () => {
    const userId = newId();
    const own = event({ userId });
    const other = event();
    await events.append(own);
    await events.append(other);
    const before = await stored(own.id);
    const beforeOfOther = await stored(other.id);
    expect(await events.erasePersonal(userId)).toBe(1);
    expect(await stored(own.id)).toEqual({
      device_id: null,
      device_fingerprint: null,
      ip: null,
      user_agent: null,
      personal_salt: null,
      personal_hash: before?.['personal_hash'],
    });
    expect(await stored(other.id)).toEqual(beforeOfOther);
    expect(await events.findById(own.id)).toEqual({
      ...own,
      device: nobody,
      sequence: null,
      resolution: null,
    });
    expect(await events.erasePersonal(userId)).toBe(0);
  });

  test('is erased from more events than one statement takes', async () => {
    const userId = newId();
    await db.rows(
      `insert into user_service.security_events
         (id, event_type, severity, description, user_id, ip_address, personal_salt, personal_hash, created_at)
       select gen_random_uuid(), 'login_succeeded', 'info', 'x', $1, '203.0.113.9', '\\x01', sha256('x'), now()
       from generate_series(1, 12345)`,
      [userId],
    );
    expect(await events.erasePersonal(userId)).toBe(12_345);
    expect(await db.rows('select 1 from user_service.security_events where ip_address is not null')).toEqual(
      [],
    );
  });
});
