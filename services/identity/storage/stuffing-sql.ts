import type { FailureWatch } from '../domain/credential-store.ts';

/** SQL for the columns of a network that tell whether many accounts are tried from it. */
export interface StuffingSql {
  readonly recentAccounts: string;
  readonly accountsSince: string;
  /** End of the lock for it; null for none. */
  readonly lockedUntil: string;
  /** Of the row as written: whether this failure made it stuffing. */
  readonly isStuffing: string;
}

/**
 * Gathers the different accounts that were tried since the window's first failure. The one that completes their number is
 * found, and no other until the window ends: the next failure adds one more, whatever it is, and none is added to that.
 * A lock ends the window, so that who goes on after it is found again.
 *
 * @param watch.stuffing null: what was gathered stays as it is
 * Reads the row `t` and what `excluded` brings: its one account, if any, and the moment in `last_failure_at`.
 */
export function stuffingSql({ windowMs, stuffing }: FailureWatch): StuffingSql {
  if (stuffing === null) {
    return {
      recentAccounts: 't.recent_accounts',
      accountsSince: 't.accounts_since',
      lockedUntil: 'null::timestamptz',
      isStuffing: 'false',
    };
  }
  const { accounts, lockMs } = stuffing;
  const at = 'excluded.last_failure_at';
  const window = `${windowMs} * interval '1 ms'`;
  const isOver = `(t.accounts_since is null or t.accounts_since + ${window} <= ${at})`;
  const isNew = 'not t.recent_accounts @> excluded.recent_accounts';
  const count = 'cardinality(t.recent_accounts)';
  const completes = `(not ${isOver} and ${count} = ${accounts - 1} and ${isNew})`;
  const locks = lockMs === null ? 'false' : completes;
  return {
    recentAccounts: `case
      when ${isOver} then excluded.recent_accounts
      when ${count} < ${accounts} and ${isNew} or ${count} = ${accounts}
        then t.recent_accounts || excluded.recent_accounts
      else t.recent_accounts
    end`,
    accountsSince: `case when ${isOver} then ${at} when ${locks} then ${at} - ${window} else t.accounts_since end`,
    lockedUntil: `case when ${locks} then ${at} + ${lockMs ?? 0} * interval '1 ms' end`,
    isStuffing: `cardinality(recent_accounts) = ${accounts}`,
  };
}
