import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DatabaseUnavailable, NextKeyTooNew, SigningKeyNotFound } from '../domain/errors.ts';
import { KeyRotationTimer } from '../domain/key-rotation-timer.ts';
import { BY_HAND, SECONDS, session, TestKeyRotation } from './testing-key-rotation.ts';
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

describe('rotated by hand', () => {
  test('the next key signs from then on; who asked for it stands in the log', async () => {
    const { rotation, keys } = shared.replica();
    await rotation.maintain();
    const [first, second] = [await shared.kidOf('active'), await shared.kidOf('next')];
    shared.pass(600 * SECONDS);
    const left = await rotation.rotate({ ...BY_HAND, force: false });
    expect(left).toMatchObject([{ status: 'next' }, { kid: second }, { kid: first, status: 'retired' }]);
    expect((await keys.active()).kid).toBe(second);
    expect(await shared.events()).toMatchObject([
      { metadata: { cause: 'request', caller: 'ops', actor: 'ada' } },
    ]);
  });

  test('too early it takes force', async () => {
    const { rotation } = shared.replica();
    await rotation.maintain();
    const first = await shared.kidOf('active');
    shared.pass(200 * SECONDS);
    const refused = await rotation.rotate({ ...BY_HAND, force: false }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(NextKeyTooNew);
    expect((refused as NextKeyTooNew).retryAfterMs).toBe(400 * SECONDS);
    expect(await shared.kidOf('active')).toBe(first);
    await rotation.rotate({ ...BY_HAND, force: true });
    expect(await shared.kidOf('retired')).toBe(first);
  });

  test('a retry with the same request id rotates once', async () => {
    const { rotation } = shared.replica();
    await rotation.maintain();
    const requestKey = { caller: 'ops', rpc: 'rotate', requestId: 'r-1', mac: randomBytes(32) };
    const change = { origin: BY_HAND.origin, requestKey, force: true };
    const [answer, ...others] = await Promise.all([1, 2, 3].map(() => rotation.rotate(change)));
    for (const other of others) expect(other).toEqual(answer);
    expect(await shared.events()).toHaveLength(1);
  });
});

describe('revoked', () => {
  test('the active key: the next one signs, and nothing the old one signed is believed', async () => {
    const { rotation, tokens, keys } = shared.replica();
    await rotation.maintain();
    const [first, second] = [await shared.kidOf('active'), await shared.kidOf('next')];
    const { token } = await tokens.issue(session);
    const left = await rotation.revoke({ ...BY_HAND, kid: first });
    expect(left).toMatchObject([{ status: 'next' }, { kid: second, status: 'active' }]);
    expect(await tokens.verify(token)).toBeNull();
    expect((await keys.active()).kid).toBe(second);
    expect(await shared.replica().tokens.verify(token)).toBeNull();
    expect(await db.rows('select kind, subject, reason from user_service.revocations')).toEqual([
      { kind: 'key', subject: first, reason: 'key_revoked' },
    ]);
    expect(await shared.events()).toMatchObject([
      { event_type: 'signing_key_revoked', severity: 'high', metadata: { kid: first, status: 'active' } },
    ]);
  });

  test.each(['next', 'retired'] as const)('a %s key: the active one goes on', async (status) => {
    const { rotation, keys } = shared.replica();
    await rotation.maintain();
    await rotation.rotate({ ...BY_HAND, force: true });
    const [active, kid] = [await shared.kidOf('active'), await shared.kidOf(status)];
    await rotation.revoke({ ...BY_HAND, kid });
    expect((await keys.active()).kid).toBe(active);
    expect(await keys.find(kid)).toBeNull();
    expect((await rotation.list()).map((key) => key.status)).toEqual(
      status === 'next' ? ['next', 'active', 'retired'] : ['next', 'active'],
    );
  });

  test('where there is no next key yet, a new one signs', async () => {
    const { rotation, keys } = shared.replica();
    const { kid } = await keys.active();
    await rotation.revoke({ ...BY_HAND, kid });
    expect((await keys.active()).kid).not.toBe(kid);
    expect(await shared.statuses()).toHaveLength(2);
  });

  test('a key that is not there', async () => {
    const { rotation } = shared.replica();
    await rotation.maintain();
    await expect(rotation.revoke({ ...BY_HAND, kid: 'x' })).rejects.toThrow(SigningKeyNotFound);
    expect(await shared.events()).toEqual([]);
  });

  test('a replica that is told forgets it for good, though a reading that began before still has it', async () => {
    const told = shared.replica({}, 60_000);
    const { token } = await told.tokens.issue(session);
    await told.rotation.maintain();
    const { kid } = await told.keys.active();
    const reading = told.keys.reload();
    told.keys.forget(kid);
    await reading;
    expect(await told.tokens.verify(token)).toBeNull();
    expect(await told.kids()).not.toContain(kid);
    await shared.replica().rotation.revoke({ ...BY_HAND, kid });
    expect((await told.keys.active()).kid).toBe(await shared.kidOf('active'));
  });

  test('twice at once: one of the two finds nothing left to revoke', async () => {
    const { rotation } = shared.replica();
    await rotation.maintain();
    const kid = await shared.kidOf('active');
    const outcomes = await Promise.allSettled(
      [1, 2].map(() => shared.replica().rotation.revoke({ ...BY_HAND, kid })),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await shared.statuses()).toHaveLength(2);
  });
});

describe('the timer', () => {
  test('looks at once, then from time to time, also after a look that failed', async () => {
    const errors: unknown[] = [];
    let looks = 0;
    const seen = Promise.withResolvers<void>();
    await using _timer = new KeyRotationTimer({
      rotation: {
        maintain: async () => {
          looks += 1;
          if (looks === 1) throw new DatabaseUnavailable();
          if (looks === 3) seen.resolve();
        },
      },
      intervalMs: 10,
      onError: (error) => errors.push(error),
    });
    expect(looks).toBe(1);
    await seen.promise;
    expect(errors).toEqual([new DatabaseUnavailable()]);
  });

  test('disposed of, waits for the look that runs and comes no more', async () => {
    const { rotation } = shared.replica();
    const timer = new KeyRotationTimer({
      rotation,
      intervalMs: 1,
      onError: (error) => {
        throw error;
      },
    });
    await timer[Symbol.asyncDispose]();
    expect(await shared.statuses()).toEqual(['active', 'next']);
    await db.rows('truncate user_service.signing_keys');
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await shared.statuses()).toEqual([]);
  });
});
