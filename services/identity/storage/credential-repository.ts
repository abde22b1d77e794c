import type { EntityManager } from '@mikro-orm/postgresql';
import type {
  CredentialStore,
  FailureFindings,
  FailureWatch,
  LoginFailure,
  MailAccount,
  NewLocks,
  PasswordReplacement,
  SignInAccount,
} from '../domain/credential-store.ts';
import type { CredentialReads, Credentials } from '../domain/reads.ts';
import type { User, UserStatus } from '../domain/user.ts';
import type { Uuid } from '../domain/uuid.ts';
import { findBurst } from './failure-burst.ts';
import { lockUntil } from './lockout-sql.ts';
import { SignInThrottleRepository } from './sign-in-throttle-repository.ts';
import { query, type TimestampText, toDate, toDateOrNull } from './sql.ts';
import { toUser, USER_COLUMNS, type UserColumns } from './user-columns.ts';

/** Stands for nobody (RFC 9562 section 5.9). */
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

const CREDENTIAL_COLUMNS = 'id, password_hash, status, locked_until, mfa_enabled';
type CredentialColumns = Pick<UserColumns, 'id' | 'status' | 'mfa_enabled' | 'locked_until'> & {
  password_hash: string | null;
};

/** What a success or an operator's help clears. */
const NO_FAILURES = 'failed_login_attempts = 0, last_login_failure_at = null, locked_until = null';
/**
 * What a new password clears. Of an account with a second factor the lock alone: whoever has the password or the mailbox,
 * and nothing else, must not be able to reset the count of wrong codes.
 */
const NO_FAILURES_BY_PASSWORD = `locked_until = null,
  failed_login_attempts = case when mfa_enabled then failed_login_attempts else 0 end,
  last_login_failure_at = case when mfa_enabled then last_login_failure_at end`;
/** A change of the account, which an editor's etag notices. */
const CHANGED = 'version = version + 1, updated_at = ?';

/** Passwords and sign-ins in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class CredentialRepository implements CredentialStore, CredentialReads {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async findCredentials(normalizedEmail: string): Promise<Credentials | null> {
    return await this.#find('email_normalized = ?', normalizedEmail);
  }

  async findCredentialsById(userId: Uuid): Promise<Credentials | null> {
    return await this.#find('id = ?', userId);
  }

  async #find(condition: string, value: string): Promise<Credentials | null> {
    const [row] = await query<CredentialColumns>(
      this.#em,
      `select ${CREDENTIAL_COLUMNS} from user_service.users where ${condition} and deleted_at is null`,
      [value],
    );
    if (row === undefined) return null;
    return {
      userId: row.id,
      passwordHash: row.password_hash,
      status: row.status,
      lockedUntil: toDateOrNull(row.locked_until),
      mfaEnabled: row.mfa_enabled,
    };
  }

  async recordLoginSuccess(login: {
    readonly userId: Uuid;
    readonly checkedHash: string | null;
    readonly newHash: string | null;
    readonly secondFactor: boolean;
    readonly at: Date;
  }): Promise<User | null> {
    const { userId, checkedHash, newHash, secondFactor, at } = login;
    return await this.#user(
      `update user_service.users
       set last_login_at = ?, ${NO_FAILURES}, password_hash = coalesce(?, password_hash)
       where id = ? and (?::text is null or password_hash = ?) and status = 'active' and deleted_at is null
         and (? or not mfa_enabled) and (locked_until is null or locked_until <= ?)
       returning ${USER_COLUMNS}`,
      [at, newHash, userId, checkedHash, checkedHash, secondFactor, at],
    );
  }

  async holdForSignIn({
    userId,
    at,
  }: {
    readonly userId: Uuid;
    readonly at: Date;
  }): Promise<SignInAccount | null> {
    const [row] = await query<UserColumns & { password_hash: string | null }>(
      this.#em,
      `select ${USER_COLUMNS}, password_hash from user_service.users
       where id = ? and status = 'active' and deleted_at is null and (locked_until is null or locked_until <= ?)
       for no key update`,
      [userId, at],
    );
    return row === undefined ? null : { user: toUser(row), passwordHash: row.password_hash };
  }

  async replaceHash({ userId, newHash }: { readonly userId: Uuid; readonly newHash: string }): Promise<void> {
    await query(this.#em, 'update user_service.users set password_hash = ? where id = ?', [newHash, userId]);
  }

  async recordLoginFailure(failure: LoginFailure): Promise<NewLocks & FailureFindings> {
    const { userId, network, at, lockout, watch } = failure;
    const policy = lockout.account;
    const failures = `case
      when greatest(last_login_failure_at, locked_until) + ${policy.forgetAfterMs} * interval '1 ms' > f.at
      then failed_login_attempts + 1 else 1 end`;
    const [row] = await query<{
      failed_login_attempts: number;
      locked_until: TimestampText | null;
      email: string;
    }>(
      this.#em,
      `update user_service.users
       set failed_login_attempts = ${failures}, last_login_failure_at = f.at,
         locked_until = ${lockUntil(failures, 'f.at', policy)}
       from (values (?::timestamptz)) f (at)
       where id = ? and deleted_at is null and (locked_until is null or locked_until <= f.at)
       returning failed_login_attempts, locked_until, email`,
      [at, userId ?? NIL_UUID],
    );
    const burst = await this.#burst(userId, at, watch);
    // The network last: its row is one that many wait for.
    const throttles = new SignInThrottleRepository(this.#em);
    const counted = await throttles.recordFailure(network, at, lockout.network, watch);
    return {
      burst,
      account:
        row === undefined || row.locked_until === null
          ? null
          : { until: toDate(row.locked_until), failures: row.failed_login_attempts, email: row.email },
      network: counted.lock,
      stuffing: counted.stuffing,
    };
  }

  async #burst(
    userId: Uuid | null,
    at: Date,
    { burst, windowMs }: FailureWatch,
  ): Promise<FailureFindings['burst']> {
    if (burst === null) return null;
    const { failures, lockMs } = burst;
    const found = await findBurst(this.#em, { userId, at, failures, windowMs });
    if (found === null || userId === null) return null;
    const lockedUntil = lockMs === null ? null : new Date(at.getTime() + lockMs);
    if (lockedUntil !== null) await this.lockAccount({ userId, until: lockedUntil });
    return { ...found, failures, lockedUntil };
  }

  async lockAccount({
    userId,
    until,
  }: {
    readonly userId: Uuid;
    readonly until: Date;
  }): Promise<string | null> {
    const [row] = await query<{ email: string }>(
      this.#em,
      `update user_service.users set locked_until = greatest(locked_until, ?)
       where id = ? and deleted_at is null returning email`,
      [until, userId],
    );
    return row?.email ?? null;
  }

  async changePassword(change: PasswordReplacement & { readonly checkedHash: string }): Promise<User | null> {
    const { userId, checkedHash, newHash, at } = change;
    return await this.#user(
      `update user_service.users
       set password_hash = ?, password_changed_at = ?, ${NO_FAILURES_BY_PASSWORD}, ${CHANGED}
       where id = ? and password_hash = ? and status = 'active' and deleted_at is null
         and (locked_until is null or locked_until <= ?)
       returning ${USER_COLUMNS}`,
      [newHash, at, at, userId, checkedHash, at],
    );
  }

  async resetPassword(
    reset: PasswordReplacement & { readonly emailNormalized: string },
  ): Promise<User | null> {
    const { userId, emailNormalized, newHash, at } = reset;
    return await this.#user(
      `update user_service.users
       set password_hash = ?, password_changed_at = ?, ${NO_FAILURES_BY_PASSWORD},
         email_verified_at = coalesce(email_verified_at, ?), ${CHANGED}
       where id = ? and email_normalized = ? and status = 'active' and deleted_at is null
       returning ${USER_COLUMNS}`,
      [newHash, at, at, at, userId, emailNormalized],
    );
  }

  async markEmailVerified(verified: {
    readonly userId: Uuid;
    readonly emailNormalized: string;
    readonly at: Date;
  }): Promise<User | null> {
    const { userId, emailNormalized, at } = verified;
    return await this.#user(
      `update user_service.users
       set email_verified_at = coalesce(email_verified_at, ?), ${CHANGED}
       where id = ? and email_normalized = ? and deleted_at is null
       returning ${USER_COLUMNS}`,
      [at, at, userId, emailNormalized],
    );
  }

  async holdAccount(
    by: { readonly userId: Uuid } | { readonly normalizedEmail: string },
  ): Promise<MailAccount | null> {
    const [condition, value] =
      'userId' in by ? ['id = ?', by.userId] : ['email_normalized = ?', by.normalizedEmail];
    const [row] = await query<{
      id: Uuid;
      email: string;
      email_normalized: string;
      email_verified_at: TimestampText | null;
      status: UserStatus;
    }>(
      this.#em,
      `select id, email, email_normalized, email_verified_at, status from user_service.users
       where ${condition} and deleted_at is null for no key update`,
      [value],
    );
    if (row === undefined) return null;
    return {
      userId: row.id,
      email: row.email,
      emailNormalized: row.email_normalized,
      emailVerifiedAt: toDateOrNull(row.email_verified_at),
      isActive: row.status === 'active',
    };
  }

  async #user(sql: string, params: readonly unknown[]): Promise<User | null> {
    const [row] = await query<UserColumns>(this.#em, sql, params);
    return row === undefined ? null : toUser(row);
  }

  /**
   * One stored hash of each algorithm and cost other than today's, at most 64: what checking them takes is to be learned.
   *
   * @param prefix of the hashes that are made today
   */
  async sampleForeignHashes(prefix: string): Promise<string[]> {
    const rows = await query<{ password_hash: string }>(
      this.#em,
      `select distinct on (cost) password_hash from (
         select password_hash, case when password_hash like '$2%' then substr(password_hash, 5, 2)
           else regexp_replace(password_hash, '\\$[^$]*\\$[^$]*$', '') end as cost
         from user_service.users where password_hash is not null and not starts_with(password_hash, ?)) as stored
       limit 64`,
      [prefix],
    );
    return rows.map(({ password_hash }) => password_hash);
  }
}
