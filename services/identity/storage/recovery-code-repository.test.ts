import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { regenerateRecoveryCodes } from '../domain/second-factors/regenerate-recovery-codes.ts';
import { useRecoveryCode } from '../domain/second-factors/use-recovery-code.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TestSecondFactors } from './testing-second-factors.ts';

let db: TestOrm;
let factors: TestSecondFactors;
let codes: readonly string[];
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  factors = await TestSecondFactors.open(db);
  ({ recoveryCodes: codes } = await factors.enroll(await factors.signIn()));
});

const use = (code: string, userId = factors.ada.id) =>
  factors.identity.unitOfWork.transactional((repositories) =>
    useRecoveryCode(repositories, { userId, code, at: factors.identity.now() }),
  );

test('ten codes work, each once, and tell how many are left', async () => {
  expect(new Set(codes).size).toBe(10);
  for (const [index, code] of codes.entries()) {
    expect(await use(code)).toEqual({ left: 9 - index });
    expect(await use(code)).toBeNull();
  }
});

test('a code works as people type it', async () => {
  const [first = '', second = ''] = codes;
  expect(await use(first.toLowerCase().replaceAll('-', ' '))).toEqual({ left: 9 });
  expect(await use(second.replaceAll('-', ''))).toEqual({ left: 8 });
});

test.each(['', 'nonsense', '000000-000000-000000-000000', '0'.repeat(100_000)])(
  'what is no code of the user does not work, case %#',
  async (code) => {
    expect(await use(code)).toBeNull();
  },
);

test('a code of another user does not work, nor does its row at another user', async () => {
  const eve = await factors.identity.register('Eve@example.com');
  const [code = ''] = codes;
  expect(await use(code, eve.id)).toBeNull();
  await db.rows('update user_service.recovery_codes set user_id = $1', [eve.id]);
  expect(await use(code, eve.id)).toBeNull();
});

test('of 1,000 uses of one code at once, one succeeds', async () => {
  const [code = ''] = codes;
  const results = await Promise.all(Array.from({ length: 1000 }, () => use(code)));
  expect(results.filter((result) => result !== null)).toEqual([{ left: 9 }]);
});

test('new codes end those before, also one that is being used at that moment', async () => {
  const signedIn = await factors.signIn(['pwd', 'otp']);
  const [code = '', ...others] = codes;
  const [used, fresh] = await Promise.all([use(code), regenerateRecoveryCodes(factors.deps, signedIn)]);
  expect([null, { left: 9 }]).toContainEqual(used);
  for (const old of [code, ...others]) expect(await use(old)).toBeNull();
  for (const [index, current] of fresh.entries()) expect(await use(current)).toEqual({ left: 9 - index });
});

test('of sets that are made at once, one is kept whole', async () => {
  const signedIn = await factors.signIn(['pwd', 'otp']);
  const sets = await Promise.all(
    Array.from({ length: 20 }, () => regenerateRecoveryCodes(factors.deps, signedIn)),
  );
  expect(await db.rows('select 1 from user_service.recovery_codes')).toHaveLength(10);
  const firsts = await Promise.all(sets.map(([code = '']) => use(code)));
  expect(firsts.filter((result) => result !== null)).toEqual([{ left: 9 }]);
});

test('codes stand nowhere in plain', async () => {
  const dump = JSON.stringify([
    await db.rows('select c::text from user_service.recovery_codes c'),
    await db.rows('select e::text from user_service.security_events e'),
    await db.rows('select m::text from user_service.outgoing_mails m'),
  ]);
  for (const code of codes) {
    for (const form of [code, code.replaceAll('-', ''), Buffer.from(code).toString('hex')]) {
      expect(dump).not.toContain(form);
    }
  }
});
