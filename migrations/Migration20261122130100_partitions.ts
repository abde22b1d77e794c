import { Migration } from '@mikro-orm/migrations';

/**
 * Partitions sessions_history and security_events by id, which is by time, as ids are UUID version 7 (RFC 9562 section
 * 5.7): one partition a month of UTC, so that retention drops partitions instead of deleting rows. What no month's
 * partition takes goes to the default one, so that nothing is ever refused.
 */
export class Migration20261122130100_partitions extends Migration {
  override name = 'Migration20261122130100_partitions';

  override up(): void {
    this.addSql(UUID_FLOOR);
    this.addSql(ENSURE_PARTITIONS);
    // Who may call it says services/identity/storage/privileges.sql.
    this.addSql(
      'revoke execute on function "user_service"."ensure_partitions"(text, timestamptz, int) from public;',
    );
    this.addSql(DROP_SESSION_REFERENCE);
    for (const table of TABLES) {
      for (const statement of setAside(table)) this.addSql(statement);
      this.addSql(`${table.create} partition by range ("id");`);
      this.addSql(
        `create table "user_service"."${table.name}_default" partition of "user_service"."${table.name}" default;`,
      );
      this.addSql(
        // An hour before: an id is made a moment before or after what its row says.
        `select "user_service"."ensure_partitions"('${table.name}', (select min("created_at") - interval '1 hour' from "user_service"."${table.name}_aside"), 3);`,
      );
      // Before there are indexes and references, which are then made in one go.
      this.addSql(moveBack(table));
      for (const statement of table.complete) this.addSql(statement);
      this.addSql(`drop table "user_service"."${table.name}_aside";`);
    }
    this.addSql(ADD_SESSION_REFERENCE);
  }

  override down(): void {
    this.addSql(DROP_SESSION_REFERENCE);
    for (const table of TABLES) {
      for (const statement of setAside(table)) this.addSql(statement);
      this.addSql(`${table.create};`);
      this.addSql(moveBack(table));
      for (const statement of table.complete) this.addSql(statement);
      this.addSql(`drop table "user_service"."${table.name}_aside";`);
    }
    this.addSql(ADD_SESSION_REFERENCE);
    this.addSql('drop function "user_service"."ensure_partitions"(text, timestamptz, int);');
    this.addSql('drop function "user_service"."uuid_floor"(timestamptz);');
  }
}

/** The least UUID of version 7 with this time. */
const UUID_FLOOR = `
create function "user_service"."uuid_floor"(at timestamptz) returns uuid
language sql immutable strict parallel safe
set search_path = pg_catalog
as $$
  select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;`;

/**
 * Makes the partitions of a table from the month of `since` (ten years ago at most; by default the present one) to `ahead`
 * months after the present one, where they are missing; answers the names of those made. Of several callers at once one
 * makes them, and the others answer nothing at once. A month whose rows are in the default partition already is left
 * there, with a warning in the server's log.
 *
 * Runs with its owner's rights, so that the service needs none to create tables. Attaches a table instead of creating a
 * partition, which would lock out every reader and writer of the parent. What it does lock it waits for no longer than
 * half a second: less than the server takes to look for deadlocks, so that it gives up before anybody else is made to.
 */
const ENSURE_PARTITIONS = `
create function "user_service"."ensure_partitions"(parent text, since timestamptz, ahead int) returns setof text
language plpgsql security definer
set search_path = pg_catalog
set lock_timeout = '500ms'
as $$
declare
  this_month timestamp := date_trunc('month', now() at time zone 'UTC');
  month timestamp := greatest(
    least(coalesce(date_trunc('month', since at time zone 'UTC'), this_month), this_month),
    this_month - interval '120 months');
  lower_bound uuid;
  upper_bound uuid;
  partition text;
  taken boolean;
begin
  if (parent in ('sessions_history', 'security_events') and ahead between 0 and 120) is not true then
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
      execute format('select exists (select from user_service.%I where id >= $1 and id < $2)', parent || '_default')
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

const DROP_SESSION_REFERENCE =
  'alter table "user_service"."refresh_token_families" drop constraint "refresh_token_families_session_id_foreign";';
const ADD_SESSION_REFERENCE =
  'alter table "user_service"."refresh_token_families" add constraint "refresh_token_families_session_id_foreign" foreign key ("session_id") references "user_service"."sessions_history" ("id") on update no action on delete cascade;';

interface Table {
  readonly name: string;
  readonly columns: string;
  readonly create: string;
  readonly complete: readonly string[];
  readonly indexes: readonly string[];
}

const TABLES: readonly Table[] = [
  {
    name: 'sessions_history',
    columns:
      'id, user_id, device_id, device_fingerprint, device_name, ip_address, user_agent, created_at, expires_at, terminated_at, termination_reason, last_activity_at, mfa_verified, is_trusted_device',
    create: `create table "user_service"."sessions_history" ("id" uuid not null, "user_id" uuid not null, "device_id" text null, "device_fingerprint" text null, "device_name" text null, "ip_address" inet null, "user_agent" text null, "created_at" timestamptz not null, "expires_at" timestamptz not null, "terminated_at" timestamptz null, "termination_reason" text null, "last_activity_at" timestamptz not null, "mfa_verified" boolean not null default false, "is_trusted_device" boolean not null default false, primary key ("id"))`,
    indexes: [
      'sessions_history_pkey',
      'sessions_history_user_id_index',
      'sessions_history_user_id_live_index',
    ],
    complete: [
      `create index "sessions_history_user_id_index" on "user_service"."sessions_history" ("user_id", "id");`,
      `create index "sessions_history_user_id_live_index" on "user_service"."sessions_history" ("user_id", "expires_at") where terminated_at is null;`,
      `alter table "user_service"."sessions_history" add constraint "sessions_history_termination_check" check (termination_reason is null or terminated_at is not null);`,
      `alter table "user_service"."sessions_history" add constraint "sessions_history_user_id_foreign" foreign key ("user_id") references "user_service"."users" ("id") on update no action on delete restrict;`,
    ],
  },
  {
    name: 'security_events',
    columns:
      'id, event_type, severity, description, user_id, session_id, device_id, device_fingerprint, ip_address, user_agent, metadata, created_at, resolved, resolved_at, resolved_by, resolution_note, personal_salt, personal_hash',
    create: `create table "user_service"."security_events" ("id" uuid not null, "event_type" text not null, "severity" text not null, "description" text not null, "user_id" uuid null, "session_id" uuid null, "device_id" text null, "device_fingerprint" text null, "ip_address" inet null, "user_agent" text null, "metadata" jsonb not null default '{}', "created_at" timestamptz not null, "resolved" boolean not null default false, "resolved_at" timestamptz null, "resolved_by" text null, "resolution_note" text null, "personal_salt" bytea null, "personal_hash" bytea null, primary key ("id"))`,
    indexes: [
      'security_events_pkey',
      'security_events_user_id_index',
      'security_events_event_type_index',
      'security_events_unresolved_index',
    ],
    complete: [
      `create index "security_events_user_id_index" on "user_service"."security_events" ("user_id", "id") where user_id is not null;`,
      `create index "security_events_event_type_index" on "user_service"."security_events" ("event_type", "id");`,
      `create index "security_events_unresolved_index" on "user_service"."security_events" ("severity", "id") where not resolved and severity in ('high', 'critical');`,
      `alter table "user_service"."security_events" add constraint "security_events_resolution_check" check (resolved = (resolved_at is not null));`,
      `alter table "user_service"."security_events" add constraint "security_events_severity_check" check ("severity" in ('info', 'low', 'medium', 'high', 'critical'));`,
      `alter table "user_service"."security_events" add constraint "security_events_personal_hash_check" check (octet_length(personal_hash) = 32);`,
    ],
  },
];

/** Index names are one a schema: those of the table that goes make room for those of the one that comes. */
function setAside({ name, indexes }: Table): string[] {
  return [
    `alter table "user_service"."${name}" rename to "${name}_aside";`,
    ...indexes.map((index) => `alter index "user_service"."${index}" rename to "${index}_aside";`),
  ];
}

function moveBack({ name, columns }: Table): string {
  return `insert into "user_service"."${name}" (${columns}) select ${columns} from "user_service"."${name}_aside";`;
}
