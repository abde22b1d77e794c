import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { NextKeyTooNew, SecretUnreadable } from '../domain/errors.ts';
import { BY_HAND, DAYS, SECONDS, session, TestKeyRotation } from './testing-key-rotation.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let shared: TestKeyRotation;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows(
    'truncate user_service.signing_keys, user_service.security_events, user_service.revocations, user_service.answered_requests',
  );
  shared = new TestKeyRotation(db);
});

describe('by themselves', () => {
  test('a new database gets a key that signs and one that will, both published', async () => {
    const { rotation, kids } = shared.replica();
    await rotation.maintain();
    expect(await rotation.list()).toMatchObject([
      { status: 'next', activatedAt: null, retiredAt: null },
      { status: 'active', retiredAt: null },
    ]);
    expect(await kids()).toHaveLength(2);
    expect(await shared.events()).toEqual([]);
  });

  test('a database with the one key of earlier versions goes on with it', async () => {
    const { token } = await shared.replica().tokens.issue(session);
    const before = await shared.kidOf('active');
    const { rotation, tokens } = shared.replica();
    await rotation.maintain();
    expect(await shared.kidOf('active')).toBe(before);
    expect(await tokens.verify(token)).not.toBeNull();
    expect(await shared.statuses()).toEqual(['active', 'next']);
  });

  test('the next key signs after the time that is set, and is known long before', async () => {
    const { rotation, tokens, keys } = shared.replica();
    await rotation.maintain();
    const [first, second] = [await shared.kidOf('active'), await shared.kidOf('next')];
    const { token } = await tokens.issue(session);
    shared.pass(30 * DAYS - SECONDS);
    await rotation.maintain();
    expect(await shared.kidOf('active')).toBe(first);
    shared.pass(2 * SECONDS);
    await rotation.maintain();
    expect((await keys.active()).kid).toBe(second);
    expect(await tokens.verify(token)).not.toBeNull();
    expect(await rotation.list()).toMatchObject([
      { status: 'next', createdAt: shared.now },
      { kid: second, status: 'active', activatedAt: shared.now },
      { kid: first, status: 'retired', retiredAt: shared.now },
    ]);
    expect(await shared.events()).toMatchObject([
      {
        event_type: 'signing_key_rotated',
        severity: 'info',
        metadata: { kid: second, retired_kid: first, cause: 'schedule' },
      },
    ]);
  });

  test('a next key that verifiers may not know yet is waited for', async () => {
    await shared.replica().keys.active();
    shared.pass(40 * DAYS);
    const { rotation } = shared.replica();
    await rotation.maintain();
    const first = await shared.kidOf('active');
    await rotation.maintain();
    expect(await shared.kidOf('active')).toBe(first);
    shared.pass(600 * SECONDS);
    await rotation.maintain();
    expect(await shared.kidOf('retired')).toBe(first);
  });

  test('0 leaves the key in place for ever', async () => {
    const { rotation } = shared.replica({ rotationMs: 0 });
    await rotation.maintain();
    shared.pass(3650 * DAYS);
    await rotation.maintain();
    expect(await shared.statuses()).toEqual(['active', 'next']);
  });

  test('a retired key verifies until what it signed has ended, and is gone then', async () => {
    const { rotation, tokens, kids } = shared.replica();
    await rotation.maintain();
    const first = await shared.kidOf('active');
    const { token } = await tokens.issue(session);
    shared.pass(30 * DAYS);
    await rotation.maintain();
    shared.pass(4500 * SECONDS);
    await rotation.maintain();
    expect(await tokens.verify(token)).not.toBeNull();
    expect(await kids()).toContain(first);
    shared.pass(SECONDS);
    await rotation.maintain();
    expect(await tokens.verify(token)).toBeNull();
    expect(await kids()).not.toContain(first);
    expect(await shared.statuses()).toEqual(['active', 'next']);
  });

  test('another algorithm that is set comes with the next rotation, and the old one verifies on', async () => {
    const before = shared.replica();
    await before.rotation.maintain();
    const { token } = await before.tokens.issue(session);
    const after = shared.replica({ algorithm: 'ES256' });
    await after.rotation.maintain();
    expect((await after.keys.active()).algorithm).toBe('EdDSA');
    shared.pass(30 * DAYS);
    await after.rotation.maintain();
    expect((await after.keys.active()).algorithm).toBe('ES256');
    expect(await after.tokens.verify(token)).not.toBeNull();
    const other = shared.replica();
    expect(await other.tokens.verify((await after.tokens.issue(session)).token)).not.toBeNull();
  });

  test('a next key that does not open is not put to use', async () => {
    const { rotation } = shared.replica();
    await rotation.maintain();
    const first = await shared.kidOf('active');
    await db.rows(
      `update user_service.signing_keys set private_key = substr(private_key, 1, 40) where status = 'next'`,
    );
    shared.pass(30 * DAYS);
    const later = shared.replica();
    await expect(later.rotation.maintain()).rejects.toThrow(SecretUnreadable);
    expect((await later.keys.active()).kid).toBe(first);
    expect(await shared.events()).toEqual([]);
  });

  test('where nothing is due, nothing is written', async () => {
    const { rotation } = shared.replica();
    await rotation.maintain();
    const xmins = () => db.rows('select xmin::text, kid from user_service.signing_keys order by kid');
    const before = await xmins();
    await rotation.maintain();
    expect(await xmins()).toEqual(before);
  });
});

describe('of twenty replicas', () => {
  test('that look after the keys at the same moment one rotates', async () => {
    await shared.replica().rotation.maintain();
    const second = await shared.kidOf('next');
    const replicas = Array.from({ length: 20 }, () => shared.replica());
    await Promise.all(replicas.map(({ keys }) => keys.active()));
    shared.pass(30 * DAYS);
    await Promise.all(replicas.map(({ rotation }) => rotation.maintain()));
    expect(await shared.kidOf('active')).toBe(second);
    expect(await shared.statuses()).toEqual(['retired', 'active', 'next']);
    expect(await shared.events()).toHaveLength(1);
    const [first] = replicas;
    const token = await first?.tokens.issue(session);
    for (const { tokens, keys } of replicas) {
      expect((await keys.active()).kid).toBe(second);
      expect(await tokens.verify(token?.token ?? '')).not.toBeNull();
    }
  });

  test('that start on an empty database each makes do with the same two keys', async () => {
    const replicas = Array.from({ length: 20 }, () => shared.replica());
    await Promise.all(replicas.map(({ rotation }) => rotation.maintain()));
    expect(await shared.statuses()).toHaveLength(2);
    const active = await shared.kidOf('active');
    for (const { keys } of replicas) expect((await keys.active()).kid).toBe(active);
  });

  test('that are asked to rotate at the same moment one does, and tells the others to wait', async () => {
    await shared.replica().rotation.maintain();
    shared.pass(600 * SECONDS);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => shared.replica().rotation.rotate({ ...BY_HAND, force: false })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(NextKeyTooNew);
    }
    expect(await shared.events()).toHaveLength(1);
  });

  test('one that has not looked since verifies what the new key signs, at once', async () => {
    const slow = shared.replica();
    await slow.rotation.maintain();
    const quick = shared.replica();
    await quick.rotation.rotate({ ...BY_HAND, force: true });
    await quick.rotation.rotate({ ...BY_HAND, force: true });
    const { token } = await quick.tokens.issue(session);
    expect(await slow.tokens.verify(token)).not.toBeNull();
    // And what it signs meanwhile is good with the others.
    expect(await quick.tokens.verify((await slow.tokens.issue(session)).token)).not.toBeNull();
  });
});
