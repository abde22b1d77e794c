import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseEmail } from '../../domain/email.ts';
import { TooManyExports } from '../../domain/errors.ts';
import { accepted, type Parsed, rejected } from '../../domain/parsed.ts';
import type { PersonName } from '../../domain/person-name.ts';
import { exportUsers } from '../../domain/users/export-users.ts';
import { type ImportCandidate, importUsers } from '../../domain/users/import-users.ts';
import { read } from '../testing-identity.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { ORIGIN, TestUsers } from './testing-users.ts';
import { StoredUserDirectory } from './user-directory.ts';

const BCRYPT = '$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW';

let db: TestOrm;
let users: TestUsers;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.users, user_service.security_events cascade');
  users = new TestUsers(db);
});

const candidate = (address: string, more: Partial<ImportCandidate> = {}): Parsed<ImportCandidate> =>
  accepted({
    email: read(parseEmail(address)),
    passwordHash: null,
    firstName: 'Ada' as PersonName,
    lastName: '' as PersonName,
    phone: null,
    roles: ['user'],
    emailVerified: false,
    createdAt: null,
    status: 'active',
    ...more,
  });

async function* streamOf<T>(items: Iterable<T>): AsyncIterable<T> {
  yield* items;
}

const run = (candidates: AsyncIterable<Parsed<ImportCandidate>>, signal = new AbortController().signal) =>
  importUsers(users, candidates, ORIGIN, signal);
const events = () =>
  db.rows(
    `select severity, metadata from user_service.security_events where event_type = 'users_imported' order by id`,
  );

describe('ImportUsers', () => {
  test('adds a user as the other system had them', async () => {
    const createdAt = new Date('2019-05-06T07:08:09.010Z');
    const outcome = await run(
      streamOf([
        candidate('Ada@Example.com', {
          passwordHash: BCRYPT,
          roles: ['premium', 'trial'],
          emailVerified: true,
          createdAt,
          status: 'suspended',
        }),
      ]),
    );
    expect(outcome).toEqual({ imported: 1, failed: 0, failures: [] });
    const [row] = await db.rows('select * from user_service.users');
    expect(row).toMatchObject({
      email: 'Ada@Example.com',
      email_normalized: 'ada@example.com',
      password_hash: BCRYPT,
      first_name: 'Ada',
      roles: ['premium', 'trial'],
      status: 'suspended',
      created_at: createdAt,
      version: 1,
      token_generation: 1,
    });
    expect(row?.['email_verified_at']).toEqual(row?.['updated_at']);
  });

  test('each is added or refused by itself, with the reason, also the second of two equal ones', async () => {
    await users.create('taken@example.com');
    const outcome = await run(
      streamOf([
        candidate('a@example.com'),
        rejected('email must not be empty'),
        candidate('TAKEN@example.com'),
        candidate('A@example.com', { firstName: 'Second' as PersonName }),
        candidate('b@example.com'),
      ]),
    );
    expect(outcome).toMatchObject({ imported: 2, failed: 3 });
    expect(outcome.failures).toEqual([
      { index: 1, reason: 'INVALID', description: 'email must not be empty' },
      { index: 2, reason: 'EMAIL_ALREADY_REGISTERED', description: 'email is already registered' },
      { index: 3, reason: 'EMAIL_ALREADY_REGISTERED', description: 'email is already registered' },
    ]);
    expect(await db.rows(`select first_name from user_service.users where email = 'a@example.com'`)).toEqual([
      { first_name: 'Ada' },
    ]);
  });

  test('refusals of those who came are as slow as all others, from the first one on', async () => {
    await run(streamOf([candidate('ada@example.com', { passwordHash: BCRYPT })]));
    const startedAt = performance.now();
    await (await users.hasher.check('wrong', null)).evenOut();
    const unknownMs = performance.now() - startedAt;
    await users.hasher.check('wrong', BCRYPT);
    const importedMs = performance.now() - startedAt - unknownMs;
    expect(unknownMs).toBeGreaterThan(importedMs / 2);
  });

  test('500 a transaction, each with its event; equal ones in another batch are refused too', async () => {
    const addresses = Array.from({ length: 1_201 }, (_, index) => `u${index % 1_200}@example.com`);
    const outcome = await run(streamOf(addresses.map((address) => candidate(address))));
    expect(outcome).toMatchObject({ imported: 1_200, failed: 1, failures: [{ index: 1_200 }] });
    expect((await events()).map(({ metadata }) => metadata)).toMatchObject([
      { count: 500, caller: 'console' },
      { count: 500 },
      { count: 200 },
    ]);
    expect(JSON.stringify(await events())).not.toContain('@example.com');
  });

  test('refusals are told up to 1,000 and counted beyond', async () => {
    const outcome = await run(
      streamOf(Array.from({ length: 1_500 }, () => rejected('email must not be empty'))),
    );
    expect(outcome).toMatchObject({ imported: 0, failed: 1_500 });
    expect(outcome.failures).toHaveLength(1_000);
    expect(await events()).toEqual([]);
  });

  test('imports of the same users in opposite orders at once: each user is added once, and none waits for ever', async () => {
    for (let round = 0; round < 5; round += 1) {
      const list = Array.from({ length: 500 }, (_, index) => candidate(`u${index}@r${round}.example`));
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, (_, index) => run(streamOf(index % 2 ? list : list.toReversed()))),
      );
      expect(outcomes.reduce((sum, { imported }) => sum + imported, 0)).toBe(500);
    }
    expect(await db.rows('select 1 from user_service.users')).toHaveLength(2_500);
  });

  test('a stream that breaks off keeps the batches before, and the same import again adds the rest', async () => {
    const list = Array.from({ length: 700 }, (_, index) => candidate(`u${index}@example.com`));
    const broken = async function* () {
      yield* list.slice(0, 600);
      throw new Error('the caller has gone');
    };
    await expect(run(broken())).rejects.toThrow('the caller has gone');
    expect(await db.rows('select 1 from user_service.users')).toHaveLength(500);
    expect(await run(streamOf(list))).toMatchObject({ imported: 200, failed: 500 });
  });

  test('nothing is written for a caller that has gone', async () => {
    const gone = new AbortController();
    gone.abort(new Error('the caller has gone'));
    await expect(run(streamOf([candidate('a@example.com')]), gone.signal)).rejects.toThrow('gone');
    expect(await db.rows('select 1 from user_service.users')).toEqual([]);
  });

  test('admins who come by an import stand out in the audit log', async () => {
    await run(streamOf([candidate('a@example.com', { roles: ['admin'] })]));
    const [admin] = await db.rows('select id from user_service.users');
    expect(await events()).toMatchObject([{ severity: 'high', metadata: { admins: [admin?.['id']] } }]);
  });
});

describe('ExportUsers', () => {
  const filter = {
    statuses: [],
    showDeleted: false,
    roles: [],
    emailVerified: null,
    mfaEnabled: null,
    createdFrom: null,
    createdBefore: null,
    prefix: 'a',
  };
  const deps = () => ({
    unitOfWork: users.unitOfWork,
    now: users.now,
    directory: new StoredUserDirectory(async () => db.orm.em),
  });

  test('is in the audit log before the first user leaves, without the words that were searched for', async () => {
    await users.create('ada@example.com');
    for await (const batch of exportUsers(deps(), filter, ORIGIN)) {
      expect(batch).toMatchObject([{ email: 'ada@example.com' }]);
      expect(
        await db.rows(
          `select metadata from user_service.security_events where event_type = 'users_exported'`,
        ),
      ).toMatchObject([{ metadata: { caller: 'console', actor: 'op-7', filter: { prefix: true } } }]);
    }
  });

  test('only so many at a time hold a connection: a further one is refused until one ends', async () => {
    for (const name of ['a', 'b']) await users.create(`${name}@example.com`);
    const directory = new StoredUserDirectory(async () => db.orm.em, 2);
    const open = () => directory.stream({ ...filter, prefix: null }, 1)[Symbol.asyncIterator]();
    const running = [open(), open()];
    for (const stream of running) expect((await stream.next()).done).toBe(false);
    await expect(open().next()).rejects.toBeInstanceOf(TooManyExports);
    await running[0]?.return?.();
    const next = open();
    expect((await next.next()).done).toBe(false);
    for (const stream of [next, running[1]]) await stream?.return?.();
  });

  test('1,200 users come in messages of at most 500', async () => {
    const list = Array.from({ length: 1_200 }, (_, index) => candidate(`a${index}@example.com`));
    await run(streamOf(list));
    const sizes: number[] = [];
    for await (const batch of exportUsers(deps(), filter, ORIGIN)) sizes.push(batch.length);
    expect(sizes).toEqual([500, 500, 200]);
  });
});
