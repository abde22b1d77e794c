import type { EntityManager } from '@mikro-orm/postgresql';
import { EtagMismatch } from '../domain/errors.ts';
import type { UserReads } from '../domain/reads.ts';
import type { Role, User, UserStatus } from '../domain/user.ts';
import type { Erasure, ImportedUser, NewUser, ProfileChanges, UserState, Users } from '../domain/users.ts';
import type { Uuid } from '../domain/uuid.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { query } from './sql.ts';
import { UserEntity } from './user.entity.ts';
import { toUser, USER_COLUMNS, type UserColumns } from './user-columns.ts';
import { eraseUser } from './users/user-erasure.ts';
import { insertUsers } from './users/user-import.ts';

const SELECT = `select ${USER_COLUMNS} from user_service.users`;
// One column: describing and reading 17 of them for a single row took a quarter of the call's processor time.
const BY_ID = `select row_to_json(found) as user from (${SELECT} where id = ?) found`;
const BY_ID_NOT_DELETED = `select row_to_json(found) as user from (${SELECT} where id = ? and deleted_at is null) found`;
/** Any number that nothing else in the database locks: the ASCII codes of `optix-ad`, as a bigint. */
const ADMINS_LOCK = 0x6f_70_74_69_78_2d_61_64n;

/** Users in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class UserRepository implements Users, UserReads {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async insert(user: NewUser): Promise<User> {
    const { id, email, createdAt, roles, passwordHash, firstName, lastName, phone } = user;
    const { emailVerifiedAt = null } = user;
    await withDatabaseErrors(() =>
      this.#em.insert(UserEntity, {
        id,
        email: email.written,
        emailNormalized: email.normalized,
        passwordHash,
        firstName,
        lastName,
        phone,
        status: 'active',
        roles: [...roles],
        createdAt,
        updatedAt: createdAt,
        emailVerifiedAt,
        version: 1,
      }),
    );
    return {
      id,
      email: email.written,
      firstName,
      lastName,
      phone,
      status: 'active',
      roles,
      mfaEnabled: false,
      createdAt,
      updatedAt: createdAt,
      lastLoginAt: null,
      emailVerifiedAt,
      deletedAt: null,
      lockedUntil: null,
      hasPassword: passwordHash !== null,
      tokenGeneration: 1,
      version: 1,
    };
  }

  async insertMany(users: readonly ImportedUser[]): Promise<ReadonlySet<Uuid>> {
    return await insertUsers(this.#em, users);
  }

  async findById(id: Uuid, showDeleted = false): Promise<User | null> {
    const [row] = await query<{ user: UserColumns }>(this.#em, showDeleted ? BY_ID : BY_ID_NOT_DELETED, [id]);
    return row === undefined ? null : toUser(row.user);
  }

  async findByEmail(normalizedEmail: string): Promise<User | null> {
    return await this.#one(`${SELECT} where email_normalized = ? and deleted_at is null`, [normalizedEmail]);
  }

  async findMany(ids: readonly Uuid[], showDeleted: boolean): Promise<User[]> {
    const rows = await query<{ user: UserColumns }>(
      this.#em,
      `select row_to_json(found) as user from (
         ${SELECT} where id = any(?::uuid[])${showDeleted ? '' : ' and deleted_at is null'}
       ) found`,
      [`{${ids.join()}}`],
    );
    return rows.map(({ user }) => toUser(user));
  }

  async find(id: Uuid): Promise<User | null> {
    return await this.findById(id, true);
  }

  async hold(id: Uuid): Promise<User | null> {
    // Not "for update": that would also make those wait who only refer to the user, with a new session say.
    return await this.#one(`${SELECT} where id = ? for no key update`, [id]);
  }

  async holdAdmins(): Promise<void> {
    await query(this.#em, `select pg_advisory_xact_lock(${ADMINS_LOCK})`, []);
  }

  async hasOtherAdmin(id: Uuid): Promise<boolean> {
    const others = await query(
      this.#em,
      `select 1 from user_service.users where status = 'active' and 'admin' = any(roles) and id <> ? limit 1`,
      [id],
    );
    return others.length > 0;
  }

  async updateProfile(state: UserState, changes: ProfileChanges, at: Date): Promise<User> {
    const assignments: string[] = [];
    const values: unknown[] = [];
    const assign = (assignment: string, ...of: unknown[]): void => {
      assignments.push(assignment);
      values.push(...of);
    };
    const { email, firstName, lastName, phone } = changes;
    if (email !== undefined) {
      assign(
        `email = ?, email_normalized = ?,
         email_verified_at = case when email_normalized = ? then email_verified_at end`,
        email.written,
        email.normalized,
        email.normalized,
      );
    }
    if (firstName !== undefined) assign('first_name = ?', firstName);
    if (lastName !== undefined) assign('last_name = ?', lastName);
    if (phone !== undefined) assign('phone = ?', phone);
    return await this.#update(state, at, assignments.join(', '), values);
  }

  async setStatus(state: UserState, status: Exclude<UserStatus, 'deleted'>, at: Date): Promise<User> {
    const generations = status === 'active' ? '' : ', token_generation = token_generation + 1';
    return await this.#update(state, at, `status = ?${generations}`, [status]);
  }

  async setRoles(state: UserState, roles: readonly Role[], at: Date): Promise<User> {
    return await this.#update(state, at, 'roles = ?::text[], token_generation = token_generation + 1', [
      `{${roles.join()}}`,
    ]);
  }

  async unlock(state: UserState, at: Date): Promise<User | null> {
    const [row] = await query<UserColumns>(
      this.#em,
      `update user_service.users
       set failed_login_attempts = 0, last_login_failure_at = null, locked_until = null, updated_at = ?,
         version = version + 1
       where id = ? and version = ? and (failed_login_attempts > 0 or locked_until is not null)
       returning ${USER_COLUMNS}`,
      [at, state.id, state.version],
    );
    return row === undefined ? null : toUser(row);
  }

  async softDelete(state: UserState, at: Date): Promise<User> {
    return await this.#update(
      state,
      at,
      `status_before_delete = status, status = 'deleted', deleted_at = ?, token_generation = token_generation + 1`,
      [at],
    );
  }

  async restore(state: UserState, at: Date): Promise<User> {
    return await this.#update(
      state,
      at,
      `status = coalesce(status_before_delete, 'active'), status_before_delete = null, deleted_at = null`,
      [],
    );
  }

  async erase(state: UserState): Promise<Erasure> {
    return await eraseUser(this.#em, state);
  }

  async #one(sql: string, params: readonly unknown[]): Promise<User | null> {
    const [row] = await query<UserColumns>(this.#em, sql, params);
    return row === undefined ? null : toUser(row);
  }

  async #update(
    { id, version }: UserState,
    at: Date,
    assignments: string,
    values: readonly unknown[],
  ): Promise<User> {
    const user = await this.#one(
      `update user_service.users set ${assignments}, updated_at = ?, version = version + 1
       where id = ? and version = ? returning ${USER_COLUMNS}`,
      [...values, at, id, version],
    );
    if (user === null) throw new EtagMismatch();
    return user;
  }
}
