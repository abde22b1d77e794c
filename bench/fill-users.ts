import type { Client } from 'pg';

/** What 1 in 10 users are, so that a filter has something to find. */
const FILTERED_STATUS = 'suspended';

/**
 * Adds users by SQL, a second apart up to now, and tells the planner. Addresses and names are hexadecimal digits in no
 * order: 20,011 last names, 5,003 first names. Nobody has a password.
 */
export async function addUsers(database: Client, count: number): Promise<void> {
  await database.query(
    `insert into user_service.users
       (id, email, email_normalized, first_name, last_name, status, roles, created_at, updated_at, email_verified_at)
     select uuidv7(at - now()), address, address, left(md5((n % 5003)::text), 8), left(md5((n % 20011)::text), 10),
       case when n % 10 = 1 then $2 else 'active' end, '{user}', at, at, at
     from generate_series(1, $1::int) n,
       lateral (select now() - make_interval(secs => $1 - n) as at, left(md5('a' || n), 12) || n || '@example.com' as address)`,
    [count, FILTERED_STATUS],
  );
  await database.query('vacuum analyze user_service.users');
}

/** Adds a session and an entry of the audit log for each user, a second apart up to now. */
export async function addSessionsAndEvents(database: Client): Promise<void> {
  for (const table of ['sessions_history', 'security_events']) {
    await database.query(
      'select user_service.ensure_partitions($1, (select min(created_at) from user_service.users), 3)',
      [table],
    );
  }
  await database.query(
    `insert into user_service.sessions_history (id, user_id, ip_address, created_at, expires_at, last_activity_at)
     select uuidv7(created_at - now()), id, '192.0.2.1', created_at, now() + interval '30 days', now()
     from user_service.users order by created_at`,
  );
  await database.query(
    `insert into user_service.security_events
       (id, event_type, severity, description, user_id, session_id, ip_address, metadata, created_at)
     select uuidv7(created_at - now()), 'login_succeeded', 'info', 'A session was opened with a password.', user_id, id,
       '192.0.2.1', '{"method": "password"}', created_at
     from user_service.sessions_history order by id`,
  );
  await database.query('vacuum analyze user_service.sessions_history, user_service.security_events');
}
