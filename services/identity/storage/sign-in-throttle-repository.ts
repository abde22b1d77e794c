import type { EntityManager } from '@mikro-orm/postgresql';
import type { FailureFindings, FailureWatch, NewLocks } from '../domain/credential-store.ts';
import type { LockoutPolicy } from '../domain/credentials/lockout-policy.ts';
import type { NetworkLocks } from '../domain/credentials/network-throttle.ts';
import { lockUntil } from './lockout-sql.ts';
import { query, type TimestampText, toDate } from './sql.ts';
import { stuffingSql } from './stuffing-sql.ts';

/** What came of a failure for its network. */
export interface CountedFailure extends Pick<FailureFindings, 'stuffing'> {
  /** The lock that it brought about, for many failures or for many accounts; null where there is none. */
  readonly lock: NewLocks['network'];
}

/** Failed sign-ins by network, in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class SignInThrottleRepository implements NetworkLocks {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async findLock(network: string, at: Date): Promise<Date | null> {
    const [row] = await query<{ locked_until: TimestampText }>(
      this.#em,
      'select locked_until from user_service.sign_in_throttles where network = ? and locked_until > ?',
      [network, at],
    );
    return row === undefined ? null : toDate(row.locked_until);
  }

  /**
   * Counts a failure. Below the threshold the count drains evenly, so that what is locked out is a rate: networks that many
   * people share have failures all day. From the threshold on it does not, or a lock would drain what it is to double.
   *
   * `last_failure_at` is the moment up to which the count has drained: less than what one failure takes to drain before
   * the failure itself. Were it the failure's own moment, what drains between failures in quick succession would be lost.
   *
   * Failures during a lock are not counted.
   */
  async recordFailure(
    network: string,
    at: Date,
    policy: LockoutPolicy,
    watch: FailureWatch,
  ): Promise<CountedFailure> {
    const { threshold, forgetAfterMs } = policy;
    const forgotten = `greatest(t.last_failure_at, t.locked_until) + ${forgetAfterMs} * interval '1 ms' <= excluded.last_failure_at`;
    const sinceLast = 'extract(epoch from (excluded.last_failure_at - t.last_failure_at)) * 1000';
    const drained = `floor(greatest(0, ${sinceLast}) * ${threshold} / ${forgetAfterMs})::int`;
    const failures = `case
      when ${forgotten} then 1
      when t.failures >= ${threshold} then t.failures + 1
      else greatest(0, t.failures - ${drained}) + 1
    end`;
    const drainedAt = `case
      when ${forgotten} or t.failures >= ${threshold} or t.failures <= ${drained} then excluded.last_failure_at
      else t.last_failure_at + ${drained} * ${forgetAfterMs / threshold} * interval '1 ms'
    end`;
    const stuffing = stuffingSql(watch);
    const [row] = await query<{ failures: number; locked_until: TimestampText | null; is_stuffing: boolean }>(
      this.#em,
      `insert into user_service.sign_in_throttles as t
         (network, failures, last_failure_at, locked_until, recent_accounts, accounts_since)
       select ?, 1, f.at, ${lockUntil('1', 'f.at', policy)}, case when f.account is null then '{}' else array[f.account] end, case when f.account is not null then f.at end
       from (values (?::timestamptz, ?::bigint)) f (at, account)
       on conflict (network) do update
       set failures = ${failures}, last_failure_at = ${drainedAt},
         locked_until = greatest(${lockUntil(failures, 'excluded.last_failure_at', policy)}, ${stuffing.lockedUntil}),
         recent_accounts = ${stuffing.recentAccounts}, accounts_since = ${stuffing.accountsSince}
       where t.locked_until is null or t.locked_until <= excluded.last_failure_at
       returning failures, locked_until, ${stuffing.isStuffing} as is_stuffing`,
      [network, at, watch.stuffing?.accountTag.toString() ?? null],
    );
    return {
      lock:
        row === undefined || row.locked_until === null
          ? null
          : { until: toDate(row.locked_until), failures: row.failures },
      stuffing:
        watch.stuffing !== null && row?.is_stuffing === true ? { accounts: watch.stuffing.accounts } : null,
    };
  }

  /** Deletes up to `most` networks without failures or lock since `before`. Returns how many. */
  async deleteIdle(before: Date, most: number): Promise<number> {
    const rows = await query(
      this.#em,
      `delete from user_service.sign_in_throttles where network in (
         select network from user_service.sign_in_throttles
         where last_failure_at < ? and (locked_until is null or locked_until < ?)
         limit ${most} for update skip locked)
       returning 1`,
      [before, before],
    );
    return rows.length;
  }
}
