import { defineEntity, p } from '@mikro-orm/postgresql';
import { ROLES, USER_STATUSES } from '../domain/user.ts';

/**
 * User accounts.
 *
 * An address is unique among the users who are not deleted: who deletes an account can register again, and the deleted
 * row keeps its address for the audit trail. Undeleting a user whose address was taken meanwhile breaks the same index.
 */
export const UserEntity = defineEntity({
  name: 'User',
  tableName: 'users',
  uniques: [
    { name: 'users_email_normalized_unique', properties: ['emailNormalized'], where: 'deleted_at is null' },
  ],
  indexes: [
    // The orders that users are listed in. Collation C: its order is the same on every machine and version, which page
    // tokens rely on, and serves prefixes too.
    { name: 'users_created_at_index', properties: ['createdAt', 'id'] },
    {
      name: 'users_email_index',
      expression:
        'create index "users_email_index" on "user_service"."users" ((email_normalized collate "C"), id)',
    },
    {
      name: 'users_last_name_index',
      expression:
        'create index "users_last_name_index" on "user_service"."users" ((lower(last_name) collate "C"), id)',
    },
    {
      name: 'users_first_name_index',
      expression:
        'create index "users_first_name_index" on "user_service"."users" ((lower(first_name) collate "C"), id)',
    },
    // What lists are filtered by and few users have; what most have is found along the order's own index.
    {
      name: 'users_status_index',
      properties: ['status', 'createdAt', 'id'],
      where: "status <> 'active'",
    },
    { name: 'users_roles_index', properties: ['roles'], type: 'gin' },
    { name: 'users_mfa_enabled_index', properties: ['createdAt', 'id'], where: 'mfa_enabled' },
    {
      name: 'users_email_unverified_index',
      properties: ['createdAt', 'id'],
      where: 'email_verified_at is null',
    },
    // Deleted ones are archived in the order of their deletion.
    { name: 'users_deleted_at_index', properties: ['deletedAt'], where: 'deleted_at is not null' },
    // Few: they are counted before one of them goes.
    { name: 'users_admins_index', properties: ['id'], where: "status = 'active' and 'admin' = any(roles)" },
  ],
  checks: [
    { name: 'users_roles_not_empty_check', expression: 'cardinality(roles) > 0' },
    { name: 'users_deleted_check', expression: "(status = 'deleted') = (deleted_at is not null)" },
    { name: 'users_mfa_type_needed_check', expression: 'not mfa_enabled or mfa_type is not null' },
    { name: 'users_failed_login_attempts_check', expression: 'failed_login_attempts >= 0' },
    { name: 'users_token_generation_check', expression: 'token_generation >= 1' },
    {
      name: 'users_status_before_delete_only_check',
      expression:
        "(deleted_at is not null or status_before_delete is null) and status_before_delete <> 'deleted'",
    },
  ],
  properties: {
    id: p.uuid().primary(),
    /** As the user wrote it. */
    email: p.text(),
    /** NFC, lower case. */
    emailNormalized: p.text(),
    /** PHC string; null for an account without a password. */
    passwordHash: p.text().nullable().hidden(),
    firstName: p.text().default(''),
    lastName: p.text().default(''),
    phone: p.text().nullable(),
    status: p.enum(USER_STATUSES).default('active'),
    roles: p.enum(ROLES).array(),
    mfaEnabled: p.boolean().default(false),
    /** The second factor that is asked for first; the factors are in tables of their own. */
    mfaType: p.enum(['totp', 'webauthn'] as const).nullable(),
    createdAt: p.datetime().columnType('timestamptz'),
    /** Last change of the account. Signing in is none. */
    updatedAt: p.datetime().columnType('timestamptz'),
    lastLoginAt: p.datetime().columnType('timestamptz').nullable(),
    emailVerifiedAt: p.datetime().columnType('timestamptz').nullable(),
    deletedAt: p.datetime().columnType('timestamptz').nullable(),
    /** What the status becomes when the deletion is taken back. */
    statusBeforeDelete: p.enum(USER_STATUSES).nullable(),
    passwordChangedAt: p.datetime().columnType('timestamptz').nullable(),
    /** Access tokens of an older generation (claim `gen`) are not accepted. */
    tokenGeneration: p.integer().default(1),
    /** Since the last sign-in that succeeded. */
    failedLoginAttempts: p.integer().default(0),
    lastLoginFailureAt: p.datetime().columnType('timestamptz').nullable(),
    lockedUntil: p.datetime().columnType('timestamptz').nullable(),
    /** Optimistic lock; the etag is made of it. */
    version: p.integer().version(),
  },
});
