import { Migration } from '@mikro-orm/migrations';

/**
 * Second factors, challenges, the chain over the audit log, maintenance and archived users.
 *
 * Seals are partitioned as the events are that they are about. Events from before get their seals when the service runs.
 * Families lose their reference to sessions: a partition of sessions could not be dropped without checking each of its rows.
 */
export class Migration20261122170000_factors_and_audit extends Migration {
  override name = 'Migration20261122170000_factors_and_audit';

  override up(): void {
    this.addSql(
      'create table "user_service"."archived_users" ("id" uuid not null, "email" text not null, "email_normalized" text not null, "first_name" text not null, "last_name" text not null, "phone" text null, "roles" text[] not null, "created_at" timestamptz not null, "last_login_at" timestamptz null, "deleted_at" timestamptz not null, "archived_at" timestamptz not null, primary key ("id"));',
    );
    this.addSql(
      'create index "archived_users_email_normalized_index" on "user_service"."archived_users" ("email_normalized");',
    );
    this.addSql(
      `create table "user_service"."maintenance_tasks" ("name" text not null, "next_run_at" timestamptz not null, "last_started_at" timestamptz null, "last_finished_at" timestamptz null, "last_succeeded_at" timestamptz null, "last_error" text not null default '', "last_count" bigint not null default '0', "total_count" bigint not null default '0', "lease_holder" text null, "lease_until" timestamptz null, primary key ("name"));`,
    );
    this.addSql(
      'create table "user_service"."security_event_checkpoints" ("sequence" bigint not null, "chain_hash" bytea not null, "dropped_before" uuid not null, "created_at" timestamptz not null default now(), primary key ("sequence"));',
    );
    this.addSql(
      'create table "user_service"."security_event_queue" ("event_id" uuid not null, "queued_at" timestamptz not null default now(), primary key ("event_id"));',
    );
    this.addSql(
      'create table "user_service"."security_event_seals" ("event_id" uuid not null, "sequence" bigint not null, "event_hash" bytea not null, "chain_hash" bytea not null, "sealed_at" timestamptz not null, primary key ("event_id")) partition by range ("event_id");',
    );
    this.addSql(
      'create index "security_event_seals_sequence_index" on "user_service"."security_event_seals" ("sequence");',
    );
    this.addSql(
      'create table "user_service"."totp_authenticators" ("id" uuid not null, "user_id" uuid not null, "secret" bytea not null, "secret_key_id" text not null, "created_at" timestamptz not null, "expires_at" timestamptz null, "confirmed_at" timestamptz null, "last_step" bigint null, primary key ("id"));',
    );
    this.addSql(
      'create index "totp_authenticators_user_id_index" on "user_service"."totp_authenticators" ("user_id");',
    );
    this.addSql(
      'create index "totp_authenticators_expires_at_index" on "user_service"."totp_authenticators" ("expires_at") where confirmed_at is null;',
    );
    this.addSql(
      'create index "totp_authenticators_secret_key_id_index" on "user_service"."totp_authenticators" ("secret_key_id", "id");',
    );
    this.addSql(
      'create unique index "totp_authenticators_confirmed_unique" on "user_service"."totp_authenticators" ("user_id") where confirmed_at is not null;',
    );
    this.addSql(
      'create unique index "totp_authenticators_pending_unique" on "user_service"."totp_authenticators" ("user_id") where confirmed_at is null;',
    );
    this.addSql(
      'create table "user_service"."recovery_codes" ("id" uuid not null, "user_id" uuid not null, "code_hash" bytea not null, "created_at" timestamptz not null, "used_at" timestamptz null, primary key ("id"));',
    );
    this.addSql(
      'alter table "user_service"."recovery_codes" add constraint "recovery_codes_code_hash_unique" unique ("user_id", "code_hash");',
    );
    this.addSql(
      'create table "user_service"."passkeys" ("id" uuid not null, "user_id" uuid not null, "credential_id" bytea not null, "public_key" bytea not null, "sign_count" bigint not null, "aaguid" uuid null, "transports" text[] not null, "name" text null, "device_type" text not null, "backed_up" boolean not null, "created_at" timestamptz not null, "last_used_at" timestamptz null, primary key ("id"));',
    );
    this.addSql('create index "passkeys_user_id_index" on "user_service"."passkeys" ("user_id", "id");');
    this.addSql(
      'alter table "user_service"."passkeys" add constraint "passkeys_credential_id_unique" unique ("credential_id");',
    );
    this.addSql(
      'create table "user_service"."auth_challenges" ("id" uuid not null, "token_hash" bytea not null, "purpose" text not null, "user_id" uuid null, "session_id" uuid null, "password_digest" bytea null, "amr" text[] not null, "device_id" text null, "device_fingerprint" text null, "webauthn_challenge" bytea not null, "created_at" timestamptz not null, "expires_at" timestamptz not null, "attempts" int not null default 0, "used_at" timestamptz null, primary key ("id"));',
    );
    this.addSql(
      'create index "auth_challenges_user_id_index" on "user_service"."auth_challenges" ("user_id") where user_id is not null;',
    );
    this.addSql(
      'create index "auth_challenges_expires_at_index" on "user_service"."auth_challenges" ("expires_at");',
    );
    this.addSql(
      'alter table "user_service"."auth_challenges" add constraint "auth_challenges_token_hash_unique" unique ("token_hash");',
    );
    this.addSql(
      'alter table "user_service"."refresh_token_families" drop constraint "refresh_token_families_session_id_foreign";',
    );
    this.addSql(
      `alter table "user_service"."sign_in_throttles" add "recent_accounts" bigint[] not null default '{}', add "accounts_since" timestamptz null;`,
    );
    this.addSql('alter table "user_service"."users" drop constraint "users_mfa_secret_key_check";');
    this.addSql(
      'alter table "user_service"."users" drop column "mfa_secret", drop column "mfa_secret_key_id";',
    );
    this.addSql(
      'create index "users_deleted_at_index" on "user_service"."users" ("deleted_at") where deleted_at is not null;',
    );
    this.addSql(
      'create index "trusted_devices_revoked_at_index" on "user_service"."trusted_devices" ("revoked_at") where revoked_at is not null;',
    );
    this.addSql(
      'create index "trusted_devices_expires_at_index" on "user_service"."trusted_devices" ("expires_at");',
    );
    this.addSql(
      `alter table "user_service"."sessions_history" add "amr" text[] not null default '{pwd}', add "authenticated_at" timestamptz null;`,
    );
    this.addSql(
      'create index "refresh_token_families_expires_at_index" on "user_service"."refresh_token_families" ("expires_at");',
    );
    this.addSql(
      `alter table "user_service"."archived_users" add constraint "archived_users_roles_check" check ("roles" <@ array['admin'::text, 'premium'::text, 'user'::text, 'trial'::text]);`,
    );
    this.addSql(
      'alter table "user_service"."security_event_checkpoints" add constraint "security_event_checkpoints_hash_check" check (octet_length(chain_hash) = 32);',
    );
    this.addSql(
      'alter table "user_service"."security_event_seals" add constraint "security_event_seals_hash_check" check (octet_length(event_hash) = 32 and octet_length(chain_hash) = 32);',
    );
    this.addSql(
      'alter table "user_service"."security_event_seals" add constraint "security_event_seals_sequence_check" check (sequence > 0);',
    );
    this.addSql(
      'alter table "user_service"."totp_authenticators" add constraint "totp_authenticators_user_id_foreign" foreign key ("user_id") references "user_service"."users" ("id") on update no action on delete cascade;',
    );
    this.addSql(
      'alter table "user_service"."totp_authenticators" add constraint "totp_authenticators_confirmation_check" check ((confirmed_at is null) = (expires_at is not null) and (confirmed_at is null) = (last_step is null));',
    );
    this.addSql(
      'alter table "user_service"."recovery_codes" add constraint "recovery_codes_user_id_foreign" foreign key ("user_id") references "user_service"."users" ("id") on update no action on delete cascade;',
    );
    this.addSql(
      'alter table "user_service"."recovery_codes" add constraint "recovery_codes_code_hash_check" check (octet_length(code_hash) = 32);',
    );
    this.addSql(
      'alter table "user_service"."passkeys" add constraint "passkeys_user_id_foreign" foreign key ("user_id") references "user_service"."users" ("id") on update no action on delete cascade;',
    );
    this.addSql(
      'alter table "user_service"."passkeys" add constraint "passkeys_sign_count_check" check (sign_count >= 0);',
    );
    this.addSql(
      'alter table "user_service"."passkeys" add constraint "passkeys_credential_id_check" check (octet_length(credential_id) >= 1 and octet_length(credential_id) <= 1023);',
    );
    this.addSql(
      `alter table "user_service"."passkeys" add constraint "passkeys_device_type_check" check ("device_type" in ('single_device', 'multi_device'));`,
    );
    this.addSql(
      'alter table "user_service"."auth_challenges" add constraint "auth_challenges_user_id_foreign" foreign key ("user_id") references "user_service"."users" ("id") on update no action on delete cascade;',
    );
    this.addSql(
      'alter table "user_service"."auth_challenges" add constraint "auth_challenges_token_hash_check" check (octet_length(token_hash) = 32);',
    );
    this.addSql(
      'alter table "user_service"."auth_challenges" add constraint "auth_challenges_attempts_check" check (attempts >= 0);',
    );
    this.addSql(
      `alter table "user_service"."auth_challenges" add constraint "auth_challenges_subject_check" check ((purpose = 'passkey_sign_in' or user_id is not null) and (purpose not in ('step_up', 'passkey_registration') or session_id is not null));`,
    );
    this.addSql(
      `alter table "user_service"."auth_challenges" add constraint "auth_challenges_purpose_check" check ("purpose" in ('sign_in', 'passkey_sign_in', 'step_up', 'passkey_registration'));`,
    );

    for (const statement of SEAL_PARTITIONS) this.addSql(statement);
    this.addSql(
      'insert into "user_service"."security_event_queue" ("event_id") select "id" from "user_service"."security_events";',
    );
  }

  override down(): void {
    this.addSql('drop table "user_service"."archived_users";');
    this.addSql('drop table "user_service"."maintenance_tasks";');
    this.addSql('drop table "user_service"."security_event_checkpoints";');
    this.addSql('drop table "user_service"."security_event_queue";');
    this.addSql('drop table "user_service"."security_event_seals";');
    this.addSql('drop table "user_service"."totp_authenticators";');
    this.addSql('drop table "user_service"."recovery_codes";');
    this.addSql('drop table "user_service"."passkeys";');
    this.addSql('drop table "user_service"."auth_challenges";');
    this.addSql('drop index "user_service"."refresh_token_families_expires_at_index";');
    // Sessions whose partition was dropped have left theirs behind.
    this.addSql(
      'delete from "user_service"."refresh_token_families" f where not exists (select from "user_service"."sessions_history" s where s.id = f.session_id);',
    );
    this.addSql(
      'alter table "user_service"."refresh_token_families" add constraint "refresh_token_families_session_id_foreign" foreign key ("session_id") references "user_service"."sessions_history" ("id") on update no action on delete cascade;',
    );
    this.addSql(
      'alter table "user_service"."sessions_history" drop column "amr", drop column "authenticated_at";',
    );
    this.addSql(
      'alter table "user_service"."sign_in_throttles" drop column "recent_accounts", drop column "accounts_since";',
    );
    this.addSql('drop index "user_service"."trusted_devices_expires_at_index";');
    this.addSql('drop index "user_service"."trusted_devices_revoked_at_index";');
    this.addSql('drop index "user_service"."users_deleted_at_index";');
    this.addSql(
      'alter table "user_service"."users" add "mfa_secret" bytea null, add "mfa_secret_key_id" text null;',
    );
    this.addSql(
      'alter table "user_service"."users" add constraint "users_mfa_secret_key_check" check ((mfa_secret is null) = (mfa_secret_key_id is null));',
    );
    this.addSql(ensurePartitions(`('sessions_history', 'security_events')`, `'id'`));
    this.addSql('alter function "user_service"."uuid_floor"(timestamptz) set search_path = pg_catalog;');
  }
}

/**
 * `ensure_partitions` of the migration before, for these tables.
 *
 * @param tables in parentheses
 * @param key an expression that gives the name of the column a table is partitioned by
 */
function ensurePartitions(tables: string, key: string): string {
  return `
create or replace function "user_service"."ensure_partitions"(parent text, since timestamptz, ahead int) returns setof text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
declare
  key text := ${key};
  this_month timestamp := date_trunc('month', now() at time zone 'UTC');
  month timestamp := greatest(
    least(coalesce(date_trunc('month', since at time zone 'UTC'), this_month), this_month),
    this_month - interval '120 months');
  lower_bound uuid;
  upper_bound uuid;
  partition text;
  taken boolean;
begin
  if (parent in ${tables} and ahead between 0 and 120) is not true then
    raise exception 'no such partitions' using errcode = 'invalid_parameter_value';
  end if;
  if not pg_try_advisory_xact_lock(hashtextextended('user_service.' || parent, 0)) then
    return;
  end if;
  while month <= this_month + make_interval(months => ahead) loop
    partition := parent || to_char(month, '"_"YYYY"_"MM');
    lower_bound := user_service.uuid_floor(month at time zone 'UTC');
    upper_bound := user_service.uuid_floor((month + interval '1 month') at time zone 'UTC');
    if to_regclass(format('user_service.%I', partition)) is null then
      execute format('select exists (select from user_service.%I where %I >= $1 and %I < $2)', parent || '_default', key, key)
        into taken using lower_bound, upper_bound;
      if taken then
        raise warning 'the default partition of % holds rows of %', parent, partition;
      else
        execute format('create table user_service.%I (like user_service.%I including all)', partition, parent);
        execute format('alter table user_service.%I attach partition user_service.%I for values from (%L) to (%L)',
          parent, partition, lower_bound, upper_bound);
        return next partition;
      end if;
    end if;
    month := month + interval '1 month';
  end loop;
end
$$;`;
}

const SEAL_PARTITIONS = [
  // Named last, as it comes first where it is not named: nobody's temporary types pass for the system's.
  'alter function "user_service"."uuid_floor"(timestamptz) set search_path = pg_catalog, pg_temp;',
  'create table "user_service"."security_event_seals_default" partition of "user_service"."security_event_seals" default;',
  ensurePartitions(
    `('sessions_history', 'security_events', 'security_event_seals')`,
    `case parent when 'security_event_seals' then 'event_id' else 'id' end`,
  ),
  // An hour before: an id is made a moment before or after what its row says.
  `select "user_service"."ensure_partitions"('security_event_seals', (select min("created_at") - interval '1 hour' from "user_service"."security_events"), 3);`,
];
