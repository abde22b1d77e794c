import { v7 as uuidV7 } from 'uuid';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { migrate } from './migrate.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const FIRST = 'Migration20261122073416_initial';
const TABLES = [
  'refresh_token_families',
  'security_events',
  'sessions_history',
  'signing_keys',
  'trusted_devices',
  'users',
];
/** Columns that the first version has and no version ever wrote to. */
const NEVER_WRITTEN = ['mfa_secret', 'mfa_secret_key_id'];
const MONTH_MS = 30 * 24 * 3_600_000;

let db: TestOrm;
beforeEach(async () => {
  db = await openTestOrm({ migrated: false });
  await db.orm.migrator.up({ to: FIRST });
});
afterEach(() => db[Symbol.asyncDispose]());

/** Every row of the first version's tables, as that version reads them. */
async function contents(): Promise<Record<string, unknown[]>> {
  const all: Record<string, unknown[]> = {};
  for (const table of TABLES) {
    all[table] = await db.rows(
      `select ${await columnsOf(table)} from user_service.${table} as t order by id`,
    );
  }
  return all;
}

const firstColumns = new Map<string, string>();
async function columnsOf(table: string): Promise<string> {
  const known = firstColumns.get(table);
  if (known !== undefined) return known;
  const columns = await db.rows(
    `select column_name from information_schema.columns where table_schema = 'user_service' and table_name = $1
       and column_name <> all ($2)`,
    [table, NEVER_WRITTEN],
  );
  const list = columns.map((row) => `t.${row['column_name']}`).join(', ');
  firstColumns.set(table, list);
  return list;
}

/** Users (one deleted, one locked), and of the last eleven months sessions, families, devices and events. */
async function fill(): Promise<void> {
  await db.rows(`
    insert into user_service.users
      (id, email, email_normalized, password_hash, roles, status, created_at, updated_at, deleted_at,
       failed_login_attempts, locked_until, version)
    select u, n || '@Example.com', n || '@example.com', '$argon2id$' || n, array['user', 'admin'],
      case n when 1 then 'deleted' else 'active' end, now(), now(), case n when 1 then now() end,
      n, case n when 2 then now() + interval '1 hour' end, n
    from (select gen_random_uuid() as u, n from generate_series(1, 3) as n) as users`);
  const users = (await db.rows('select id from user_service.users order by version')).map((row) => row['id']);
  for (let i = 0; i < 24; i++) {
    const at = new Date(Date.now() - (i * MONTH_MS) / 2);
    const [session, user] = [uuidV7({ msecs: at.getTime() }), users[i % users.length]];
    await db.rows(
      `insert into user_service.sessions_history
         (id, user_id, device_name, ip_address, created_at, expires_at, last_activity_at, terminated_at, termination_reason)
       values ($1, $2, 'laptop', '2001:db8::7', $3, $3::timestamptz + interval '30 days', $3, $4, $5)`,
      [session, user, at, i % 2 === 0 ? at : null, i % 2 === 0 ? 'signed_out' : null],
    );
    await db.rows(
      `insert into user_service.refresh_token_families
         (id, user_id, session_id, created_at, expires_at, generation, current_token_hash)
       values ($1, $2, $3, $4, $4, $5, sha256($6))`,
      [uuidV7({ msecs: at.getTime() }), user, session, at, i + 1, Buffer.from(String(session))],
    );
    await db.rows(
      `insert into user_service.trusted_devices (id, user_id, trust_token_hash, created_at, last_seen_at, expires_at)
       values ($1, $2, sha256($3), $4, $4, $4)`,
      [uuidV7({ msecs: at.getTime() }), user, Buffer.from(String(session)), at],
    );
    await db.rows(
      `insert into user_service.security_events
         (id, event_type, severity, description, user_id, session_id, metadata, created_at, resolved, resolved_at, resolved_by)
       values ($1, 'login_failed', 'high', 'x', $2, $3, '{"reason": "wrong_password"}', $4, $5, $6, $7)`,
      [
        uuidV7({ msecs: at.getTime() }),
        i === 0 ? null : user,
        session,
        at,
        i % 3 === 0,
        ...(i % 3 === 0 ? [at, 'operator'] : [null, null]),
      ],
    );
  }
}

/** As the first version has them. */
async function fillKeys(): Promise<void> {
  await db.rows(`
    insert into user_service.signing_keys
      (id, kid, algorithm, status, public_jwk, private_key, private_key_key_id, created_at, retired_at)
    values (gen_random_uuid(), 'old', 'EdDSA', 'retired', '{"kty": "OKP"}', '\\x01', 'k1', now() - interval '1 day', now()),
      (gen_random_uuid(), 'new', 'EdDSA', 'active', '{"kty": "OKP"}', '\\x02', 'k1', now(), null)`);
}

const misplaced = (table: string) =>
  db.rows(
    `select id from user_service.${table}
     where tableoid::regclass::text <> 'user_service.${table}_' || to_char(created_at at time zone 'UTC', 'YYYY_MM')`,
  );

test('up, down and up again lose nothing', async () => {
  await fill();
  await fillKeys();
  const before = await contents();
  expect(before['sessions_history']).toHaveLength(24);
  await migrate(db.orm);
  expect(await contents()).toEqual(before);

  await db.orm.migrator.down({ to: FIRST });
  expect(await contents()).toEqual(before);

  await migrate(db.orm);
  expect(await contents()).toEqual(before);
  expect(await db.orm.schema.getUpdateSchemaSQL({ wrap: false })).toBe('');
});

test('rows land in the partition of their month, and the default ones stay empty', async () => {
  await fill();
  await migrate(db.orm);
  for (const table of ['sessions_history', 'security_events']) {
    expect(await misplaced(table)).toEqual([]);
    const partitions = await db.rows(
      `select tableoid::regclass as name, count(*)::int as rows from user_service.${table} group by 1`,
    );
    expect(partitions.length).toBeGreaterThanOrEqual(11);
    expect(await db.rows(`select id from user_service.${table}_default`)).toEqual([]);
  }
});

test('what is written after the migration comes back with it: also from partitions it did not make', async () => {
  await migrate(db.orm);
  await fill();
  const before = await contents();
  expect(await db.rows('select id from user_service.sessions_history_default')).not.toEqual([]);
  await db.orm.migrator.down({ to: FIRST });
  expect(await contents()).toEqual(before);
});

test('what only the newer version has goes: keys that are not active yet, or of another algorithm', async () => {
  await fillKeys();
  await migrate(db.orm);
  await db.rows(`
    insert into user_service.signing_keys
      (id, kid, algorithm, status, public_jwk, private_key, private_key_key_id, created_at, activated_at, retired_at)
    values (gen_random_uuid(), 'next', 'EdDSA', 'next', '{}', '\\x03', 'k1', now(), null, null),
      (gen_random_uuid(), 'ec', 'ES256', 'retired', '{}', '\\x04', 'k1', now(), now(), now())`);
  await db.orm.migrator.down({ to: FIRST });
  expect(await db.rows('select kid from user_service.signing_keys order by kid')).toEqual([
    { kid: 'new' },
    { kid: 'old' },
  ]);
});

test('references still hold: to users that are there; families end with their session in the first version alone', async () => {
  await fill();
  const strayUser = () =>
    db.rows(
      `insert into user_service.sessions_history (id, user_id, created_at, expires_at, last_activity_at)
       values (gen_random_uuid(), gen_random_uuid(), now(), now(), now())`,
    );
  const strayFamily = () =>
    db.rows(
      `update user_service.refresh_token_families set session_id = gen_random_uuid()
       where id = (select id from user_service.refresh_token_families limit 1)`,
    );
  await migrate(db.orm);
  await expect(strayUser()).rejects.toMatchObject({ constraint: 'sessions_history_user_id_foreign' });
  const [family] = await db.rows('select count(*)::int as families from user_service.refresh_token_families');
  // Retention drops sessions with their partition, without a look at families.
  await strayFamily();

  await db.orm.migrator.down({ to: FIRST });
  await expect(strayUser()).rejects.toMatchObject({ constraint: 'sessions_history_user_id_foreign' });
  await expect(strayFamily()).rejects.toMatchObject({
    constraint: 'refresh_token_families_session_id_foreign',
  });
  expect(await db.rows('select count(*)::int as families from user_service.refresh_token_families')).toEqual([
    { families: Number(family?.['families']) - 1 },
  ]);
});
