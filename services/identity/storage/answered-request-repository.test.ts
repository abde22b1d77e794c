import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { RequestIdReused } from '../domain/errors.ts';
import { type AnswerCodec, once, type RequestKey } from '../domain/idempotency.ts';
import type { Repositories } from '../domain/unit-of-work.ts';
import type { Uuid } from '../domain/uuid.ts';
import { TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const USER = '0193b9a0-0000-7000-8000-000000000001' as Uuid;
const codec: AnswerCodec<{ readonly text: string }> = {
  toJson: (result) => result,
  fromJson: (json) => json as { text: string },
  userIdOf: () => USER,
};

let db: TestOrm;
let identity: TestIdentity;
let runs: number;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.answered_requests');
  identity = new TestIdentity(db);
  runs = 0;
});

const keyOf = (
  requestId: string,
  change: Partial<RequestKey> & { readonly body?: string } = {},
): RequestKey => ({
  caller: change.caller ?? 'console',
  rpc: change.rpc ?? 'optix.identity.v1.IdentityService/CreateUser',
  requestId,
  mac: createHash('sha256')
    .update(change.body ?? 'body')
    .digest(),
});

const answer = (key: RequestKey | null) =>
  once(identity.unitOfWork, key, codec, async () => {
    runs += 1;
    return { text: `run ${runs} "quoted" \u00fc` };
  });

const rows = () => db.rows('select * from user_service.answered_requests');

test('the same request again gets the same answer, and nothing is done again', async () => {
  const first = await answer(keyOf('a'));
  expect(await answer(keyOf('a'))).toEqual(first);
  expect(runs).toBe(1);
  expect(await rows()).toMatchObject([
    { caller: 'console', request_id: 'a', user_id: USER, answer: { answer: first } },
  ]);
});

test('what a request revoked is told of again with the same answer: the first telling may not be over', async () => {
  const createdAt = new Date();
  const revoke = () =>
    once(identity.unitOfWork, keyOf('a'), codec, async ({ revocations }) => {
      await revocations.add([{ kind: 'user', userId: USER, generation: 2, reason: 'test', createdAt }]);
      return { text: 'revoked' };
    });
  await revoke();
  expect(await revoke()).toEqual({ text: 'revoked' });
  expect(identity.revoked).toHaveLength(2);
  expect(identity.revoked[1]).toEqual(identity.revoked[0]);
  expect(await db.rows('select 1 from user_service.revocations')).toHaveLength(1);
});

test('without an id, every request is another one', async () => {
  await answer(null);
  await answer(null);
  expect(runs).toBe(2);
  expect(await rows()).toEqual([]);
});

test('of 100 that come at once, one is carried out and all get its answer', async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, () => answer(keyOf('a'))));
  expect(runs).toBe(1);
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
});

test('the id with another request is refused', async () => {
  await answer(keyOf('a'));
  await expect(answer(keyOf('a', { body: 'another' }))).rejects.toThrow(RequestIdReused);
  expect(runs).toBe(1);
});

test('callers and RPCs have ids of their own', async () => {
  await answer(keyOf('a'));
  await answer(keyOf('a', { caller: 'portal', body: 'another' }));
  await answer(keyOf('a', { rpc: 'optix.identity.v1.IdentityService/DeleteUser', body: 'another' }));
  expect(runs).toBe(3);
});

test('after 24 hours an id is free for any request, and before they are over it is not', async () => {
  await answer(keyOf('a'));
  const age = (interval: string) =>
    db.rows(`update user_service.answered_requests set created_at = now() - interval '${interval}'`);
  await age('23 hours 59 minutes');
  await expect(answer(keyOf('a', { body: 'another' }))).rejects.toThrow(RequestIdReused);
  await age('24 hours 1 second');
  const second = await answer(keyOf('a', { body: 'another' }));
  expect(runs).toBe(2);
  expect(await answer(keyOf('a', { body: 'another' }))).toEqual(second);
  expect(await rows()).toHaveLength(1);
});

test('work that fails leaves the id free, and one that waited for it takes over', async () => {
  const begun = Promise.withResolvers<void>();
  const failing = once(identity.unitOfWork, keyOf('a'), codec, async () => {
    begun.resolve();
    await new Promise((resolve) => setTimeout(resolve, 50));
    throw new Error('no');
  });
  const refused = expect(failing).rejects.toThrow('no');
  await begun.promise;
  const waiting = answer(keyOf('a'));
  await refused;
  expect(await waiting).toEqual(await answer(keyOf('a')));
  expect(runs).toBe(1);
});

test('work that fails leaves no row', async () => {
  await expect(
    once(identity.unitOfWork, keyOf('a'), codec, async () => {
      throw new Error('no');
    }),
  ).rejects.toThrow('no');
  expect(await rows()).toEqual([]);
});

test('old answers are deleted in batches, those about a user forgotten', async () => {
  for (const id of ['a', 'b', 'c', 'd']) await answer(keyOf(id));
  await db.rows(
    `update user_service.answered_requests set created_at = now() - interval '25 hours' where request_id <> 'd'`,
  );
  const inTransaction = <T>(work: (repositories: Repositories) => Promise<T>) =>
    identity.unitOfWork.transactional(work);
  expect(await inTransaction(({ answeredRequests }) => answeredRequests.deleteExpired(2))).toBe(2);
  expect(await inTransaction(({ answeredRequests }) => answeredRequests.deleteExpired(2))).toBe(1);
  expect(await rows()).toMatchObject([{ request_id: 'd' }]);
  await inTransaction(({ answeredRequests }) => answeredRequests.forgetUser(USER));
  expect(await rows()).toMatchObject([{ request_id: 'd', user_id: null, answer: { answer: null } }]);
});
