import { Migration } from '@mikro-orm/migrations';

/** What users, credentials, tokens and callers need beside the first tables. */
export class Migration20261122130000_accounts extends Migration {
  override name = 'Migration20261122130000_accounts';

  override up(): void {
    for (const statement of CREATE_TABLES) this.addSql(statement);
    for (const statement of EXTEND_TABLES) this.addSql(statement);
  }

  override down(): void {
    for (const statement of REDUCE_TABLES) this.addSql(statement);
    for (const table of NEW_TABLES) this.addSql(`drop table "user_service"."${table}";`);
  }
}

const NEW_TABLES = [
  'answered_requests',
  'caller_keys',
  'one_time_tokens',
  'outgoing_mails',
  'revocations',
  'sign_in_throttles',
];

const CREATE_TABLES = [
  `create table "user_service"."answered_requests" ("caller" text not null, "rpc" text not null, "request_id" text not null, "request_mac" bytea not null, "user_id" uuid null, "answer" jsonb not null, "created_at" timestamptz not null, primary key ("caller", "rpc", "request_id"));`,
  `create index "answered_requests_created_at_index" on "user_service"."answered_requests" ("created_at");`,
  `create index "answered_requests_user_id_index" on "user_service"."answered_requests" ("user_id") where user_id is not null;`,

  `create table "user_service"."caller_keys" ("id" uuid not null, "name" text not null, "scopes" text[] not null, "key_hash" bytea not null, "created_at" timestamptz not null, "created_by" text not null, "expires_at" timestamptz null, "revoked_at" timestamptz null, "last_used_at" timestamptz null, primary key ("id"));`,
  `create index "caller_keys_name_index" on "user_service"."caller_keys" ("name", "id");`,
  `alter table "user_service"."caller_keys" add constraint "caller_keys_key_hash_unique" unique ("key_hash");`,
  `alter table "user_service"."caller_keys" add constraint "caller_keys_key_hash_check" check (octet_length(key_hash) = 32);`,

  `create table "user_service"."outgoing_mails" ("id" uuid not null, "user_id" uuid not null, "payload" bytea not null, "payload_key_id" text not null, "created_at" timestamptz not null, "next_attempt_at" timestamptz not null, "attempts" int not null default 0, "expires_at" timestamptz not null, primary key ("id"));`,
  `create index "outgoing_mails_next_attempt_at_index" on "user_service"."outgoing_mails" ("next_attempt_at");`,
  `create index "outgoing_mails_user_id_index" on "user_service"."outgoing_mails" ("user_id");`,
  `alter table "user_service"."outgoing_mails" add constraint "outgoing_mails_attempts_check" check (attempts >= 0);`,

  `create table "user_service"."revocations" ("id" bigserial primary key, "kind" text not null, "subject" text not null, "user_id" uuid null, "session_id" uuid null, "generation" int null, "reason" text not null, "created_at" timestamptz not null, "expires_at" timestamptz not null);`,
  `create index "revocations_expires_at_index" on "user_service"."revocations" ("expires_at");`,
  `create index "revocations_session_id_index" on "user_service"."revocations" ("session_id") where kind = 'token';`,
  `alter table "user_service"."revocations" add constraint "revocations_user_check" check ((kind = 'user') = (generation is not null));`,
  `alter table "user_service"."revocations" add constraint "revocations_session_check" check (kind not in ('session', 'token') or session_id is not null);`,
  `alter table "user_service"."revocations" add constraint "revocations_kind_check" check ("kind" in ('session', 'token', 'user', 'key'));`,

  `create table "user_service"."sign_in_throttles" ("network" text not null, "failures" int not null, "last_failure_at" timestamptz not null, "locked_until" timestamptz null, primary key ("network"));`,
  `create index "sign_in_throttles_last_failure_at_index" on "user_service"."sign_in_throttles" ("last_failure_at");`,
  `alter table "user_service"."sign_in_throttles" add constraint "sign_in_throttles_failures_check" check (failures >= 0);`,

  `create table "user_service"."one_time_tokens" ("id" uuid not null, "user_id" uuid not null, "purpose" text not null, "token_hash" bytea not null, "email_normalized" text not null, "created_at" timestamptz not null, "expires_at" timestamptz not null, "used_at" timestamptz null, primary key ("id"));`,
  `create index "one_time_tokens_user_id_index" on "user_service"."one_time_tokens" ("user_id", "purpose");`,
  `create index "one_time_tokens_expires_at_index" on "user_service"."one_time_tokens" ("expires_at");`,
  `alter table "user_service"."one_time_tokens" add constraint "one_time_tokens_token_hash_unique" unique ("token_hash");`,
  `alter table "user_service"."one_time_tokens" add constraint "one_time_tokens_token_hash_check" check (octet_length(token_hash) = 32);`,
  `alter table "user_service"."one_time_tokens" add constraint "one_time_tokens_purpose_check" check ("purpose" in ('email_verification', 'password_reset'));`,
  `alter table "user_service"."one_time_tokens" add constraint "one_time_tokens_user_id_foreign" foreign key ("user_id") references "user_service"."users" ("id") on update no action on delete cascade;`,
];

const EXTEND_TABLES = [
  `alter table "user_service"."security_events" add "personal_salt" bytea null, add "personal_hash" bytea null;`,
  `alter table "user_service"."security_events" add constraint "security_events_personal_hash_check" check (octet_length(personal_hash) = 32);`,

  `alter table "user_service"."signing_keys" drop constraint "signing_keys_algorithm_check";`,
  `alter table "user_service"."signing_keys" drop constraint "signing_keys_status_check";`,
  `alter table "user_service"."signing_keys" add "activated_at" timestamptz null;`,
  `update "user_service"."signing_keys" set "activated_at" = "created_at";`,
  `create unique index "signing_keys_next_unique" on "user_service"."signing_keys" ("status") where status = 'next';`,
  `alter table "user_service"."signing_keys" add constraint "signing_keys_activated_check" check ((status = 'next') = (activated_at is null));`,
  `alter table "user_service"."signing_keys" add constraint "signing_keys_algorithm_check" check ("algorithm" in ('EdDSA', 'ES256'));`,
  `alter table "user_service"."signing_keys" add constraint "signing_keys_status_check" check ("status" in ('next', 'active', 'retired'));`,

  `alter table "user_service"."users" add "status_before_delete" text null, add "password_changed_at" timestamptz null, add "token_generation" int not null default 1, add "last_login_failure_at" timestamptz null;`,
  `create index "users_created_at_index" on "user_service"."users" ("created_at", "id");`,
  `create index "users_email_index" on "user_service"."users" ((email_normalized collate "C"), id);`,
  `create index "users_last_name_index" on "user_service"."users" ((lower(last_name) collate "C"), id);`,
  `create index "users_first_name_index" on "user_service"."users" ((lower(first_name) collate "C"), id);`,
  `create index "users_status_index" on "user_service"."users" ("status", "created_at", "id") where status <> 'active';`,
  `create index "users_roles_index" on "user_service"."users" using gin ("roles");`,
  `create index "users_mfa_enabled_index" on "user_service"."users" ("created_at", "id") where mfa_enabled;`,
  `create index "users_email_unverified_index" on "user_service"."users" ("created_at", "id") where email_verified_at is null;`,
  `create index "users_admins_index" on "user_service"."users" ("id") where status = 'active' and 'admin' = any(roles);`,
  `alter table "user_service"."users" add constraint "users_token_generation_check" check (token_generation >= 1);`,
  `alter table "user_service"."users" add constraint "users_status_before_delete_only_check" check ((deleted_at is not null or status_before_delete is null) and status_before_delete <> 'deleted');`,
  `alter table "user_service"."users" add constraint "users_status_before_delete_check" check ("status_before_delete" in ('active', 'inactive', 'suspended', 'deleted'));`,

  // A token holds the id of its family now: it is not looked up by its hash, and rewriting rows spares an index.
  `alter table "user_service"."refresh_token_families" drop constraint "refresh_token_families_current_token_hash_unique";`,
  `alter table "user_service"."refresh_token_families" add "previous_token_hash" bytea null, add "rotated_at" timestamptz null, add "previous_answer" bytea null;`,
  `alter table "user_service"."refresh_token_families" add constraint "refresh_token_families_previous_check" check ((previous_token_hash is null) = (rotated_at is null) and (previous_answer is null or previous_token_hash is not null) and octet_length(previous_token_hash) = 32);`,
];

const REDUCE_TABLES = [
  `alter table "user_service"."refresh_token_families" drop "previous_token_hash", drop "rotated_at", drop "previous_answer";`,
  `alter table "user_service"."refresh_token_families" add constraint "refresh_token_families_current_token_hash_unique" unique ("current_token_hash");`,

  `drop index "user_service"."users_created_at_index";`,
  `drop index "user_service"."users_email_index";`,
  `drop index "user_service"."users_last_name_index";`,
  `drop index "user_service"."users_first_name_index";`,
  `drop index "user_service"."users_admins_index";`,
  `drop index "user_service"."users_status_index";`,
  `drop index "user_service"."users_roles_index";`,
  `drop index "user_service"."users_mfa_enabled_index";`,
  `drop index "user_service"."users_email_unverified_index";`,
  `alter table "user_service"."users" drop "status_before_delete", drop "password_changed_at", drop "token_generation", drop "last_login_failure_at";`,

  // What the older version can't hold: it signs with EdDSA only, and makes a new key where none is active.
  `delete from "user_service"."signing_keys" where "status" = 'next' or "algorithm" <> 'EdDSA';`,
  `alter table "user_service"."signing_keys" drop constraint "signing_keys_algorithm_check";`,
  `alter table "user_service"."signing_keys" drop constraint "signing_keys_status_check";`,
  `alter table "user_service"."signing_keys" drop "activated_at";`,
  `drop index if exists "user_service"."signing_keys_next_unique";`,
  `alter table "user_service"."signing_keys" add constraint "signing_keys_algorithm_check" check ("algorithm" in ('EdDSA'));`,
  `alter table "user_service"."signing_keys" add constraint "signing_keys_status_check" check ("status" in ('active', 'retired'));`,

  `alter table "user_service"."security_events" drop "personal_salt", drop "personal_hash";`,
];
