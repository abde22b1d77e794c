import type { EntityManager } from '@mikro-orm/postgresql';
import type { Credentials, UserReads } from '../domain/reads.ts';
import type { NewUser, Users } from '../domain/unit-of-work.ts';
import type { Role, User, UserStatus } from '../domain/user.ts';
import type { Uuid } from '../domain/uuid.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { query, type TimestampText, toDate, toDateOrNull } from './sql.ts';
import { UserEntity } from './user.entity.ts';

interface UserColumns {
  id: Uuid;
  email: string;
  first_name: string;
  last_name: string;
  phone: string | null;
  status: UserStatus;
  roles: Role[];
  mfa_enabled: boolean;
  created_at: TimestampText;
  updated_at: TimestampText;
  last_login_at: TimestampText | null;
  email_verified_at: TimestampText | null;
  deleted_at: TimestampText | null;
  version: number;
}

const USER_COLUMNS = `id, email, first_name, last_name, phone, status, roles, mfa_enabled, created_at, updated_at,
  last_login_at, email_verified_at, deleted_at, version`;

/** Stands for nobody (RFC 9562 section 5.9). */
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** Users in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class UserRepository implements Users, UserReads {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async insert(user: NewUser): Promise<User> {
    const { id, email, createdAt, roles, passwordHash, firstName, lastName, phone } = user;
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
      emailVerifiedAt: null,
      deletedAt: null,
      version: 1,
    };
  }

  async findById(id: Uuid): Promise<User | null> {
    const [row] = await query<UserColumns>(
      this.#em,
      `select ${USER_COLUMNS} from user_service.users where id = ? and deleted_at is null`,
      [id],
    );
    return row === undefined ? null : toUser(row);
  }

  async findCredentials(normalizedEmail: string): Promise<Credentials | null> {
    const [row] = await query<
      Pick<UserColumns, 'id' | 'status' | 'mfa_enabled'> & {
        password_hash: string | null;
        locked_until: TimestampText | null;
      }
    >(
      this.#em,
      `select id, password_hash, status, locked_until, mfa_enabled from user_service.users
       where email_normalized = ? and deleted_at is null`,
      [normalizedEmail],
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
    readonly checkedHash: string;
    readonly newHash: string | null;
    readonly at: Date;
  }): Promise<User | null> {
    const { userId, checkedHash, newHash, at } = login;
    const [row] = await query<UserColumns>(
      this.#em,
      `update user_service.users
       set last_login_at = ?, failed_login_attempts = 0, locked_until = null, password_hash = ?
       where id = ? and password_hash = ? and status = 'active' and deleted_at is null and not mfa_enabled
         and (locked_until is null or locked_until <= ?)
       returning ${USER_COLUMNS}`,
      [at, newHash ?? checkedHash, userId, checkedHash, at],
    );
    return row === undefined ? null : toUser(row);
  }

  async recordLoginFailure(userId: Uuid | null): Promise<void> {
    await query(
      this.#em,
      'update user_service.users set failed_login_attempts = failed_login_attempts + 1 where id = ?',
      [userId ?? NIL_UUID],
    );
  }
}

function toUser(row: UserColumns): User {
  return {
    id: row.id,
    email: row.email,
    firstName: row.first_name,
    lastName: row.last_name,
    phone: row.phone,
    status: row.status,
    roles: row.roles,
    mfaEnabled: row.mfa_enabled,
    createdAt: toDate(row.created_at),
    updatedAt: toDate(row.updated_at),
    lastLoginAt: toDateOrNull(row.last_login_at),
    emailVerifiedAt: toDateOrNull(row.email_verified_at),
    deletedAt: toDateOrNull(row.deleted_at),
    version: row.version,
  };
}
