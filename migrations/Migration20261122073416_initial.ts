import { Migration } from '@mikro-orm/migrations';

export class Migration20261122073416_initial extends Migration {
  override name = 'Migration20261122073416_initial';

  override up(): void | Promise<void> {
    this.addSql(`create schema if not exists "user_service";`);
    this.addSql(
      `create table "user_service"."security_events" ("id" uuid not null, "event_type" text not null, "severity" text not null, "description" text not null, "user_id" uuid null, "session_id" uuid null, "device_id" text null, "device_fingerprint" text null, "ip_address" inet null, "user_agent" text null, "metadata" jsonb not null default '{}', "created_at" timestamptz not null, "resolved" boolean not null default false, "resolved_at" timestamptz null, "resolved_by" text null, "resolution_note" text null, primary key ("id"));`,
    );
    this.addSql(
      `create index "security_events_user_id_index" on "user_service"."security_events" ("user_id", "id") where user_id is not null;`,
    );
    this.addSql(
      `create index "security_events_event_type_index" on "user_service"."security_events" ("event_type", "id");`,
    );
    this.addSql(
      `create index "security_events_unresolved_index" on "user_service"."security_events" ("severity", "id") where not resolved and severity in ('high', 'critical');`,
    );
    this.addSql(
      `alter table "user_service"."security_events" add constraint "security_events_resolution_check" check (resolved = (resolved_at is not null));`,
    );
    this.addSql(
      `alter table "user_service"."security_events" add constraint "security_events_severity_check" check ("severity" in ('info', 'low', 'medium', 'high', 'critical'));`,
    );

    this.addSql(
      `create table "user_service"."signing_keys" ("id" uuid not null, "kid" text not null, "algorithm" text not null, "status" text not null, "public_jwk" jsonb not null, "private_key" bytea not null, "private_key_key_id" text not null, "created_at" timestamptz not null, "retired_at" timestamptz null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "user_service"."signing_keys" add constraint "signing_keys_kid_unique" unique ("kid");`,
    );
    this.addSql(
      `create unique index "signing_keys_active_unique" on "user_service"."signing_keys" ("status") where status = 'active';`,
    );
    this.addSql(
      `alter table "user_service"."signing_keys" add constraint "signing_keys_retired_check" check ((status = 'retired') = (retired_at is not null));`,
    );
    this.addSql(
      `alter table "user_service"."signing_keys" add constraint "signing_keys_algorithm_check" check ("algorithm" in ('EdDSA'));`,
    );
    this.addSql(
      `alter table "user_service"."signing_keys" add constraint "signing_keys_status_check" check ("status" in ('active', 'retired'));`,
    );

    this.addSql(
      `create table "user_service"."users" ("id" uuid not null, "email" text not null, "email_normalized" text not null, "password_hash" text null, "first_name" text not null default '', "last_name" text not null default '', "phone" text null, "status" text not null default 'active', "roles" text[] not null, "mfa_enabled" boolean not null default false, "mfa_type" text null, "mfa_secret" bytea null, "mfa_secret_key_id" text null, "created_at" timestamptz not null, "updated_at" timestamptz not null, "last_login_at" timestamptz null, "email_verified_at" timestamptz null, "deleted_at" timestamptz null, "failed_login_attempts" int not null default 0, "locked_until" timestamptz null, "version" int not null default 1, primary key ("id"));`,
    );
    this.addSql(
      `create unique index "users_email_normalized_unique" on "user_service"."users" ("email_normalized") where deleted_at is null;`,
    );
    this.addSql(
      `alter table "user_service"."users" add constraint "users_roles_not_empty_check" check (cardinality(roles) > 0);`,
    );
    this.addSql(
      `alter table "user_service"."users" add constraint "users_deleted_check" check ((status = 'deleted') = (deleted_at is not null));`,
    );
    this.addSql(
      `alter table "user_service"."users" add constraint "users_mfa_type_needed_check" check (not mfa_enabled or mfa_type is not null);`,
    );
    this.addSql(
      `alter table "user_service"."users" add constraint "users_mfa_secret_key_check" check ((mfa_secret is null) = (mfa_secret_key_id is null));`,
    );
    this.addSql(
      `alter table "user_service"."users" add constraint "users_failed_login_attempts_check" check (failed_login_attempts >= 0);`,
    );
    this.addSql(
      `alter table "user_service"."users" add constraint "users_status_check" check ("status" in ('active', 'inactive', 'suspended', 'deleted'));`,
    );
    this.addSql(
      `alter table "user_service"."users" add constraint "users_roles_check" check ("roles" <@ array['admin'::text, 'premium'::text, 'user'::text, 'trial'::text]);`,
    );
    this.addSql(
      `alter table "user_service"."users" add constraint "users_mfa_type_check" check ("mfa_type" in ('totp', 'webauthn'));`,
    );

    this.addSql(
      `create table "user_service"."trusted_devices" ("id" uuid not null, "user_id" uuid not null, "device_id" text null, "device_fingerprint" text null, "device_name" text null, "trust_token_hash" bytea not null, "ip_address" inet null, "created_at" timestamptz not null, "last_seen_at" timestamptz not null, "use_count" int not null default 0, "expires_at" timestamptz not null, "revoked_at" timestamptz null, "revocation_reason" text null, primary key ("id"));`,
    );
    this.addSql(
      `create index "trusted_devices_user_id_index" on "user_service"."trusted_devices" ("user_id", "id");`,
    );
    this.addSql(
      `alter table "user_service"."trusted_devices" add constraint "trusted_devices_trust_token_hash_unique" unique ("trust_token_hash");`,
    );
    this.addSql(
      `alter table "user_service"."trusted_devices" add constraint "trusted_devices_trust_token_hash_check" check (octet_length(trust_token_hash) = 32);`,
    );
    this.addSql(
      `alter table "user_service"."trusted_devices" add constraint "trusted_devices_use_count_check" check (use_count >= 0);`,
    );
    this.addSql(
      `alter table "user_service"."trusted_devices" add constraint "trusted_devices_revocation_check" check (revocation_reason is null or revoked_at is not null);`,
    );

    this.addSql(
      `create table "user_service"."sessions_history" ("id" uuid not null, "user_id" uuid not null, "device_id" text null, "device_fingerprint" text null, "device_name" text null, "ip_address" inet null, "user_agent" text null, "created_at" timestamptz not null, "expires_at" timestamptz not null, "terminated_at" timestamptz null, "termination_reason" text null, "last_activity_at" timestamptz not null, "mfa_verified" boolean not null default false, "is_trusted_device" boolean not null default false, primary key ("id"));`,
    );
    this.addSql(
      `create index "sessions_history_user_id_index" on "user_service"."sessions_history" ("user_id", "id");`,
    );
    this.addSql(
      `create index "sessions_history_user_id_live_index" on "user_service"."sessions_history" ("user_id", "expires_at") where terminated_at is null;`,
    );
    this.addSql(
      `alter table "user_service"."sessions_history" add constraint "sessions_history_termination_check" check (termination_reason is null or terminated_at is not null);`,
    );

    this.addSql(
      `create table "user_service"."refresh_token_families" ("id" uuid not null, "user_id" uuid not null, "session_id" uuid not null, "device_id" text null, "created_at" timestamptz not null, "last_used_at" timestamptz null, "expires_at" timestamptz not null, "generation" int not null default 1, "current_token_hash" bytea not null, "revoked_at" timestamptz null, "revocation_reason" text null, primary key ("id"));`,
    );
    this.addSql(
      `create index "refresh_token_families_user_id_index" on "user_service"."refresh_token_families" ("user_id", "id");`,
    );
    this.addSql(
      `create index "refresh_token_families_session_id_index" on "user_service"."refresh_token_families" ("session_id");`,
    );
    this.addSql(
      `alter table "user_service"."refresh_token_families" add constraint "refresh_token_families_current_token_hash_unique" unique ("current_token_hash");`,
    );
    this.addSql(
      `alter table "user_service"."refresh_token_families" add constraint "refresh_token_families_token_hash_check" check (octet_length(current_token_hash) = 32);`,
    );
    this.addSql(
      `alter table "user_service"."refresh_token_families" add constraint "refresh_token_families_generation_check" check (generation >= 1);`,
    );
    this.addSql(
      `alter table "user_service"."refresh_token_families" add constraint "refresh_token_families_revocation_check" check (revocation_reason is null or revoked_at is not null);`,
    );

    this.addSql(
      `alter table "user_service"."trusted_devices" add constraint "trusted_devices_user_id_foreign" foreign key ("user_id") references "user_service"."users" ("id") on update no action on delete restrict;`,
    );

    this.addSql(
      `alter table "user_service"."sessions_history" add constraint "sessions_history_user_id_foreign" foreign key ("user_id") references "user_service"."users" ("id") on update no action on delete restrict;`,
    );

    this.addSql(
      `alter table "user_service"."refresh_token_families" add constraint "refresh_token_families_user_id_foreign" foreign key ("user_id") references "user_service"."users" ("id") on update no action on delete restrict;`,
    );
    this.addSql(
      `alter table "user_service"."refresh_token_families" add constraint "refresh_token_families_session_id_foreign" foreign key ("session_id") references "user_service"."sessions_history" ("id") on update no action on delete cascade;`,
    );
  }

  override down(): void | Promise<void> {
    // The schema stays: it holds the table of migrations.
    this.addSql(`drop table "user_service"."refresh_token_families";`);
    this.addSql(`drop table "user_service"."trusted_devices";`);
    this.addSql(`drop table "user_service"."sessions_history";`);
    this.addSql(`drop table "user_service"."security_events";`);
    this.addSql(`drop table "user_service"."signing_keys";`);
    this.addSql(`drop table "user_service"."users";`);
  }
}
