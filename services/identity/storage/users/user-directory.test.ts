import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { User } from '../../domain/user.ts';
import type { UserFilter, UserOrder, UserPlace } from '../../domain/users/user-directory.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { StoredUserDirectory } from './user-directory.ts';

const ALL: UserFilter = {
  statuses: [],
  showDeleted: false,
  roles: [],
  emailVerified: null,
  mfaEnabled: null,
  createdFrom: null,
  createdBefore: null,
  prefix: null,
};

let db: TestOrm;
let directory: StoredUserDirectory;
beforeAll(async () => {
  db = await openTestOrm();
  directory = new StoredUserDirectory(async () => db.orm.em);
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.users cascade');
});

/** Rows as the tests need them; what is left out is ordinary. */
interface Row {
  readonly email: string;
  readonly first?: string;
  readonly last?: string;
  readonly status?: string;
  readonly roles?: string;
  readonly created?: string;
  readonly verified?: boolean;
  readonly mfa?: boolean;
}

async function add(...rows: Row[]): Promise<void> {
  for (const row of rows) {
    await db.rows(
      `insert into user_service.users (id, email, email_normalized, first_name, last_name, status, roles, created_at,
         updated_at, email_verified_at, mfa_enabled, mfa_type, deleted_at, version)
       values (uuidv7(), $1, lower($1), $2, $3, $4, $5, $6, now(), $7, $8, $9, $10, 1)`,
      [
        row.email,
        row.first ?? '',
        row.last ?? '',
        row.status ?? 'active',
        row.roles ?? '{user}',
        row.created ?? '2026-01-01T00:00:00Z',
        row.verified ? '2026-01-02T00:00:00Z' : null,
        row.mfa ?? false,
        row.mfa ? 'totp' : null,
        row.status === 'deleted' ? '2026-01-03T00:00:00Z' : null,
      ],
    );
  }
}

/** All pages of a list, with what happens between two of them. */
async function all(
  options: {
    readonly filter?: Partial<UserFilter>;
    readonly order?: UserOrder;
    readonly descending?: boolean;
    readonly limit?: number;
    readonly between?: () => Promise<void>;
  } = {},
): Promise<User[]> {
  const { filter = {}, order = 'create_time', descending = false, limit = 2 } = options;
  const users: User[] = [];
  let after: UserPlace | null = null;
  do {
    const page = await directory.list({ filter: { ...ALL, ...filter }, order, descending }, after, limit);
    users.push(...page.users);
    after = page.next;
    await options.between?.();
  } while (after !== null);
  return users;
}

const names = (users: readonly User[]): string[] => users.map(({ email }) => email.replace(/@.*/, ''));

describe('orders', () => {
  beforeEach(async () => {
    await add(
      { email: 'c@x.example', last: 'Zuse', created: '2026-01-01T00:00:00.000001Z' },
      { email: 'B@x.example', last: 'ada', created: '2026-01-01T00:00:00.000003Z' },
      { email: 'a@x.example', last: 'Ömer', created: '2026-01-01T00:00:00.000002Z' },
      { email: 'd@x.example', last: 'Ada', created: '2026-01-01T00:00:00.000002Z' },
    );
  });

  test.each([
    ['create_time', ['c', 'a', 'd', 'B']],
    ['email', ['a', 'B', 'c', 'd']],
    ['last_name', ['B', 'd', 'c', 'a']],
  ] as const)(
    'by %s, equal ones by id, in either direction and any size of page',
    async (order, expected) => {
      for (const limit of [1, 2, 3, 4, 5]) {
        expect(names(await all({ order, limit }))).toEqual(expected);
        expect(names(await all({ order, limit, descending: true }))).toEqual([...expected].reverse());
      }
    },
  );

  test('a last page that is just full is said to be the last', async () => {
    const page = await directory.list({ filter: ALL, order: 'email', descending: false }, null, 4);
    expect(page).toMatchObject({ next: null });
    expect(page.users).toHaveLength(4);
  });
});

describe('filters', () => {
  beforeEach(async () => {
    await add(
      { email: 'ada@x.example', first: 'Ada', last: 'Lovelace', roles: '{admin,user}', verified: true },
      { email: 'bob@x.example', first: 'Robert', last: 'Ádám', status: 'suspended', mfa: true },
      { email: 'cyd@x.example', last: 'adaptable', roles: '{premium}', created: '2026-03-01T00:00:00Z' },
      { email: 'dan@x.example', status: 'deleted', roles: '{trial}' },
      { email: 'eve@x.example', first: '100%_\\', last: "O'Hara", status: 'inactive' },
    );
  });

  test.each<[string, Partial<UserFilter>, string[]]>([
    ['nothing: all but deleted', {}, ['ada', 'bob', 'cyd', 'eve']],
    ['show_deleted', { showDeleted: true }, ['ada', 'bob', 'cyd', 'dan', 'eve']],
    ['a status', { statuses: ['suspended'] }, ['bob']],
    ['several statuses', { statuses: ['deleted', 'inactive'] }, ['dan', 'eve']],
    ['a role', { roles: ['user'] }, ['ada', 'bob', 'eve']],
    ['any of several roles', { roles: ['admin', 'premium'] }, ['ada', 'cyd']],
    ['verified', { emailVerified: true }, ['ada']],
    ['unverified', { emailVerified: false }, ['bob', 'cyd', 'eve']],
    ['second factor', { mfaEnabled: true }, ['bob']],
    ['no second factor', { mfaEnabled: false }, ['ada', 'cyd', 'eve']],
    ['created from, inclusive', { createdFrom: new Date('2026-03-01T00:00:00Z') }, ['cyd']],
    ['created before, exclusive', { createdBefore: new Date('2026-03-01T00:00:00Z') }, ['ada', 'bob', 'eve']],
    ['prefix of address or name, in any case', { prefix: 'ADA' }, ['ada', 'cyd']],
    ['prefix with other letters', { prefix: 'áD' }, ['bob']],
    ['prefix in another form of Unicode', { prefix: 'a\u0301d' }, ['bob']],
    ['prefix of signs that patterns know', { prefix: '100%_\\' }, ['eve']],
    ['prefix with a quote', { prefix: "o'h" }, ['eve']],
    ['no pattern', { prefix: '%' }, []],
    ['a whole address', { prefix: 'ada@x.example' }, ['ada']],
    ['all at once', { prefix: 'a', roles: ['admin'], emailVerified: true, statuses: ['active'] }, ['ada']],
  ])('%s', async (_, filter, expected) => {
    for (const order of ['create_time', 'email', 'last_name'] as const) {
      expect(names(await all({ filter, order })).sort()).toEqual(expected);
    }
  });
});

test('users who come and go between two pages make no other one come twice or be left out', async () => {
  const random = (most: number) => Math.floor(Math.random() * most);
  const name = () => `${String(random(1_000_000)).padStart(6, '0')}-${random(1_000_000)}`;
  for (const order of ['create_time', 'email', 'last_name'] as const) {
    await db.rows('truncate user_service.users cascade');
    const moment = () => `2026-01-01T00:00:00.00000${random(10)}Z`;
    const row = (prefix: string): Row => {
      const text = name();
      return { email: `${text}@${prefix}.example`, last: text.slice(0, 2), created: moment() };
    };
    await add(...Array.from({ length: 40 }, () => row('stay')));
    await add(...Array.from({ length: 20 }, () => row('go')));
    const seen = await all({
      order,
      limit: 3,
      descending: random(2) === 1,
      between: async () => {
        await add(row('come'));
        await db.rows(
          `delete from user_service.users where id in (
             select id from user_service.users where email like '%@go.example' order by random() limit 1)`,
        );
      },
    });
    const stayed = seen.filter(({ email }) => email.endsWith('@stay.example'));
    expect(stayed).toHaveLength(40);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
  }
});

describe('stream', () => {
  const collect = async (filter: Partial<UserFilter> = {}, batch = 3, between?: () => Promise<void>) => {
    const batches: (readonly User[])[] = [];
    for await (const users of directory.stream({ ...ALL, ...filter }, batch)) {
      batches.push(users);
      await between?.();
    }
    return batches;
  };

  test('all that a filter selects, in batches, by id', async () => {
    await add(...Array.from({ length: 7 }, (_, index) => ({ email: `u${index}@x.example` })));
    await add({ email: 'gone@x.example', status: 'deleted' });
    const batches = await collect();
    expect(batches.map(({ length }) => length)).toEqual([3, 3, 1]);
    expect(names(batches.flat())).toEqual(['u0', 'u1', 'u2', 'u3', 'u4', 'u5', 'u6']);
    expect(await collect({ statuses: ['deleted'] })).toHaveLength(1);
    expect(await collect({ prefix: 'nobody' })).toEqual([]);
  });

  test('is the picture of one moment, whatever happens meanwhile', async () => {
    await add(...Array.from({ length: 6 }, (_, index) => ({ email: `u${index}@x.example` })));
    const batches = await collect({}, 2, async () => {
      await add({ email: `late${Math.random()}@x.example` });
      await db.rows(
        `delete from user_service.users where id = (select max(id::text)::uuid from user_service.users where email like 'u%')`,
      );
      await db.rows(`update user_service.users set first_name = 'changed'`);
    });
    expect(names(batches.flat())).toEqual(['u0', 'u1', 'u2', 'u3', 'u4', 'u5']);
    expect(
      batches
        .flat()
        .map(({ firstName }) => firstName)
        .join(''),
    ).toBe('');
  });

  test('a consumer that stops leaves no transaction behind', async () => {
    await add(...Array.from({ length: 6 }, (_, index) => ({ email: `u${index}@x.example` })));
    for await (const users of directory.stream(ALL, 2)) {
      expect(users).toHaveLength(2);
      break;
    }
    expect(
      await db.rows(
        `select 1 from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`,
      ),
    ).toEqual([]);
  });

  test('a consumer that is slower than transactions may idle elsewhere is not cut off', async () => {
    await using tight = await openTestOrm({ statementTimeoutMs: 200 });
    await tight.rows(
      `insert into user_service.users (id, email, email_normalized, roles, created_at, updated_at, version)
       select uuidv7(), n || '@x.example', n || '@x.example', '{user}', now(), now(), 1 from generate_series(1, 4) n`,
    );
    const slow = new StoredUserDirectory(async () => tight.orm.em);
    let count = 0;
    for await (const users of slow.stream(ALL, 2)) {
      count += users.length;
      // Twice the statement time-out is what other transactions may idle.
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    expect(count).toBe(4);
  });
});

test('no list reads the whole table', async () => {
  await db.rows(
    `insert into user_service.users (id, email, email_normalized, first_name, last_name, status, roles, mfa_enabled,
       mfa_type, created_at, updated_at, email_verified_at, deleted_at, version)
     select uuidv7(), md5(n::text) || '@x.example', md5(n::text) || '@x.example', md5((n % 503)::text),
       md5((n % 2011)::text),
       case when n % 500 = 1 then 'suspended' when n % 500 = 2 then 'deleted' else 'active' end,
       case when n % 1000 = 0 then '{admin}' else '{user}' end::text[], n % 500 = 3,
       case when n % 500 = 3 then 'totp' end, now() - make_interval(mins => n), now(),
       case when n % 200 > 0 then now() end, case when n % 500 = 2 then now() end, 1
     from generate_series(1, 20000) n`,
  );
  await db.rows('analyze user_service.users');
  const filters: Partial<UserFilter>[] = [
    {},
    { showDeleted: true },
    { statuses: ['suspended'] },
    { statuses: ['active'] },
    { statuses: ['suspended', 'deleted'] },
    { roles: ['admin'] },
    { roles: ['user'] },
    { emailVerified: true },
    { emailVerified: false },
    { mfaEnabled: true },
    { mfaEnabled: false },
    { createdFrom: new Date(Date.now() - 3_600_000), createdBefore: new Date() },
    { prefix: 'abcd' },
    { prefix: 'a' },
    { prefix: 'zzz' },
  ];
  const after = { key: '8', id: '0193b9a0-0000-7000-8000-000000000001' } as UserPlace;
  const since = { key: new Date(Date.now() - 600_000_000).toISOString(), id: after.id };
  const scanned: string[] = [];
  await using plans = await openPlans(scanned);
  for (const filter of filters) {
    for (const order of ['create_time', 'email', 'last_name'] as const) {
      for (const descending of [false, true]) {
        for (const place of [null, order === 'create_time' ? since : after]) {
          await plans.list({ filter: { ...ALL, ...filter }, order, descending }, place, 50);
        }
      }
    }
    for await (const _ of plans.stream({ ...ALL, ...filter }, 500));
  }
  expect(scanned).toEqual([]);
}, 60_000);

/** A directory whose statements are explained; notes those that read a whole table. */
async function openPlans(scanned: string[]) {
  const connection = db.orm.em.getConnection();
  const execute = connection.execute.bind(connection);
  connection.execute = (async (sql: string, params: unknown[], ...rest: []) => {
    if (sql.startsWith('select') && sql.includes('user_service.users')) {
      const plan = JSON.stringify(await execute(`explain (format json) ${sql}`, params, ...rest));
      if (plan.includes('Seq Scan')) scanned.push(sql);
    }
    return await execute(sql, params, ...rest);
  }) as typeof connection.execute;
  return Object.assign(directory, {
    async [Symbol.asyncDispose]() {
      connection.execute = execute;
    },
  });
}
