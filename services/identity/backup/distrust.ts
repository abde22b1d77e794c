import type { EntityManager } from '@mikro-orm/postgresql';
import { query } from '../storage/sql.ts';

/** What may have been taken back after the backup, and is ended therefore. */
export interface Distrusted {
  readonly sessions: number;
  readonly signingKeys: number;
  readonly trustedDevices: number;
}

const REASON = 'restored';
/** Longer than any access token lasts (ACCESS_TOKEN_LIFETIME_SECONDS ends at a day), and clocks differ. */
const REVOKED_FOR = '25 hours';

/**
 * Ends whatever a backup can't vouch for: of sessions, refresh tokens, trusted devices, challenges and tokens in mails some were
 * ended or used after it, and nobody knows which. All signing keys are given up, so that access tokens end with their
 * sessions, also those of sessions that the backup does not know, and also for those who verify tokens by themselves.
 * Users sign in again, with their second factor; accounts, passwords and factors stay as they were.
 *
 * Mails that waited were sent since, or hold a token that is good no more.
 */
export async function distrust(em: EntityManager): Promise<Distrusted> {
  const run = async (sql: string, values: readonly unknown[] = []) =>
    (await query<{ count: number }>(em, sql, values))[0]?.count ?? 0;
  await run(
    `update user_service.refresh_token_families set revoked_at = now(), revocation_reason = ? where revoked_at is null`,
    [REASON],
  );
  const sessions = await run(
    `with ended as (
       update user_service.sessions_history set terminated_at = now(), termination_reason = ?
       where terminated_at is null and expires_at > now() returning 1)
     select count(*)::int from ended`,
    [REASON],
  );
  const trustedDevices = await run(
    `with revoked as (
       update user_service.trusted_devices set revoked_at = now(), revocation_reason = ?
       where revoked_at is null and expires_at > now() returning 1)
     select count(*)::int from revoked`,
    [REASON],
  );
  await run('delete from user_service.auth_challenges');
  await run('delete from user_service.one_time_tokens');
  await run('delete from user_service.outgoing_mails');
  await run(
    `insert into user_service.revocations (kind, subject, reason, created_at, expires_at)
     select 'key', kid, ?, now(), now() + interval '${REVOKED_FOR}' from user_service.signing_keys order by created_at, id`,
    [REASON],
  );
  const signingKeys = await run(
    `with given_up as (delete from user_service.signing_keys returning 1) select count(*)::int from given_up`,
  );
  return { sessions, signingKeys, trustedDevices };
}
