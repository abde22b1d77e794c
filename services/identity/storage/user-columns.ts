import type { Role, User, UserStatus } from '../domain/user.ts';
import type { Uuid } from '../domain/uuid.ts';
import { type TimestampText, toDate, toDateOrNull } from './sql.ts';

/** A user as SQL answers {@link USER_COLUMNS}. */
export interface UserColumns {
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
  locked_until: TimestampText | null;
  has_password: boolean;
  token_generation: number;
  version: number;
}

/** What a user is read by: everything but secrets. */
export const USER_COLUMNS = `id, email, first_name, last_name, phone, status, roles, mfa_enabled, created_at, updated_at,
  last_login_at, email_verified_at, deleted_at, locked_until, password_hash is not null as has_password, token_generation,
  version`;

export function toUser(row: UserColumns): User {
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
    lockedUntil: toDateOrNull(row.locked_until),
    hasPassword: row.has_password,
    tokenGeneration: row.token_generation,
    version: row.version,
  };
}
