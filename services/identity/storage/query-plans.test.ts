import type { EntityManager } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { query } from './sql.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { type Statement, StatementRecorder, scannedTables } from './testing-plans.ts';
import { EMAIL, type KnownRow, repositoryCalls } from './testing-queries.ts';

const ROWS = 20_000;
const NOBODY = {} as KnownRow;

const recorder = new StatementRecorder();
let db: TestOrm;
let known: KnownRow;
beforeAll(async () => {
  db = await openTestOrm({ onPoolCreated: recorder.onPoolCreated, statementTimeoutMs: 60_000 });
  await fill();
  const [row] = await db.rows(
    `select u.id as user, s.id as session, f.id as family, d.id as device,
       (select id from user_service.security_events where user_id = u.id limit 1) as event,
       (select id from user_service.outgoing_mails where user_id = u.id limit 1) as mail
     from user_service.users u join user_service.sessions_history s on s.user_id = u.id
       join user_service.refresh_token_families f on f.session_id = s.id
       join user_service.trusted_devices d on d.user_id = u.id
     where u.email_normalized = $1`,
    [EMAIL],
  );
  known = row as unknown as KnownRow;
});
afterAll(() => db[Symbol.asyncDispose]());

/** One row a user in each table, made over the last forty days. */
async function fill(): Promise<void> {
  for (const table of ['sessions_history', 'security_events', 'security_event_seals']) {
    await db.rows(`select user_service.ensure_partitions('${table}', now() - interval '41 days', 3)`);
  }
  await db.rows(`
    create table public.seed as
    select n, now() - make_interval(mins => (${ROWS} - n) * 57600 / ${ROWS}) as at,
      uuidv7(make_interval(mins => -(${ROWS} - n) * 57600 / ${ROWS})) as user_id,
      uuidv7(make_interval(mins => -(${ROWS} - n) * 57600 / ${ROWS})) as id
    from generate_series(1, ${ROWS}) as n;
    insert into user_service.users (id, email, email_normalized, password_hash, first_name, last_name, roles, status,
        deleted_at, created_at, updated_at)
      select user_id, 'user' || n || '@example.com', 'user' || n || '@example.com', 'x', 'First' || n, 'Last' || n,
        case when n % 5000 = 0 then array['admin'] else array['user'] end,
        case when n % 100 = 7 then 'deleted' else 'active' end, case when n % 100 = 7 then at end, at, at
      from public.seed;
    insert into user_service.sessions_history (id, user_id, created_at, expires_at, last_activity_at)
      select id, user_id, at, at + interval '30 days', at from public.seed;
    insert into user_service.refresh_token_families
        (id, user_id, session_id, created_at, expires_at, current_token_hash)
      select id, user_id, id, at, at + interval '30 days', sha256(n::text::bytea) from public.seed;
    insert into user_service.trusted_devices (id, user_id, trust_token_hash, created_at, last_seen_at, expires_at)
      select id, user_id, sha256(n::text::bytea), at, at, at + interval '30 days' from public.seed;
    insert into user_service.security_events
        (id, event_type, severity, description, user_id, created_at, resolved, resolved_at)
      select id, case when n % 100 = 0 then 'password_changed' else 'login_succeeded' end,
        case when n % 10 = 0 then 'high' else 'info' end, 'x', user_id, at, n % 20 = 0, case when n % 20 = 0 then at end
      from public.seed;
    insert into user_service.one_time_tokens
        (id, user_id, purpose, token_hash, email_normalized, created_at, expires_at)
      select id, user_id, 'password_reset', sha256(n::text::bytea), 'x', at, at + interval '30 days' from public.seed;
    insert into user_service.outgoing_mails
        (id, user_id, payload, payload_key_id, created_at, next_attempt_at, expires_at)
      select id, user_id, 'x', 'k1', at, at + interval '80 days', at from public.seed;
    insert into user_service.answered_requests (caller, rpc, request_id, request_mac, user_id, answer, created_at)
      select 'caller', 'rpc', n::text, 'x', user_id, '{"answer": {}, "revoked": []}', at + interval '39 days' from public.seed;
    insert into user_service.sign_in_throttles (network, failures, last_failure_at)
      select 'network' || n, 1, at from public.seed;
    insert into user_service.revocations (kind, subject, user_id, session_id, reason, created_at, expires_at)
      select case when n % 2 = 0 then 'session' else 'token' end, id::text, user_id, id, 'x', at, at + interval '39 days'
      from public.seed;
    insert into user_service.totp_authenticators
        (id, user_id, secret, secret_key_id, created_at, expires_at, confirmed_at, last_step)
      select user_id, user_id, 'x', 'k1', at, null, at, 1 from public.seed;
    insert into user_service.passkeys
        (id, user_id, credential_id, public_key, sign_count, transports, device_type, backed_up, created_at)
      select user_id, user_id, sha256(n::text::bytea), 'x', 0, '{}', 'single_device', false, at from public.seed;
    insert into user_service.recovery_codes (id, user_id, code_hash, created_at)
      select user_id, user_id, sha256(n::text::bytea), at from public.seed;
    insert into user_service.auth_challenges
        (id, token_hash, purpose, user_id, amr, webauthn_challenge, created_at, expires_at)
      select user_id, sha256(n::text::bytea), 'sign_in', user_id, '{pwd}', 'x', at, at + interval '80 days'
      from public.seed;
    insert into user_service.security_event_seals (event_id, sequence, event_hash, chain_hash, sealed_at)
      select id, n, sha256('x'), sha256('y'), at from public.seed where n < ${ROWS};
    insert into user_service.archived_users
        (id, email, email_normalized, first_name, last_name, roles, created_at, deleted_at, archived_at)
      select id, 'x', 'x', '', '', '{user}', at, at, at from public.seed;
  `);
  await db.rows('vacuum analyze');
}

/** The statements of a call, whose changes are taken back. */
async function statementsOf(call: (em: EntityManager) => Promise<unknown>): Promise<Statement[]> {
  const em = db.orm.em.fork();
  return await recorder.of(async () => {
    await em.begin();
    try {
      await call(em);
    } finally {
      await em.rollback();
    }
  });
}

test.each(Object.keys(repositoryCalls(NOBODY)))('%s reads no big table from end to end', async (name) => {
  const statements = await statementsOf(async (em) => await repositoryCalls(known)[name]?.(em));
  expect(statements).not.toEqual([]);
  for (const statement of statements) expect(await scannedTables(db, statement), statement.sql).toEqual([]);
});

test('a query without an index is seen', async () => {
  const statements = await statementsOf((em) =>
    query(em, 'select id from user_service.users where phone = ?', ['+491511234']),
  );
  expect(await Promise.all(statements.map((statement) => scannedTables(db, statement)))).toEqual([['users']]);
});
