import { Migration } from '@mikro-orm/migrations';

/**
 * What maintenance needs its owner's rights for: dropping partitions and refreshing statistics. Both run as the owner, so
 * that the service can neither drop nor empty a table by itself. Who may call them says
 * services/identity/storage/privileges.sql.
 *
 * Their search path names `pg_temp`, last: where it is not named it comes first, and whoever may make temporary objects
 * puts a type or a table of his own in the place of the system's (CREATE FUNCTION, "Writing SECURITY DEFINER Functions
 * Safely").
 */
export class Migration20261122170100_retention extends Migration {
  override name = 'Migration20261122170100_retention';

  override up(): void {
    this.addSql(WRITE_CHECKPOINT);
    this.addSql(DROP_PARTITIONS);
    this.addSql(ANALYZE_TABLE);
    for (const signature of FUNCTIONS) {
      this.addSql(`revoke execute on function "user_service".${signature} from public;`);
    }
  }

  override down(): void {
    for (const signature of FUNCTIONS) this.addSql(`drop function "user_service".${signature};`);
  }
}

const FUNCTIONS = [
  '"drop_partitions"(text, timestamptz)',
  '"write_checkpoint"(uuid)',
  '"analyze_table"(text)',
] as const;

/**
 * Has the chain over the audit log begin behind the last seal of an event below `bound`, before these events go.
 *
 * Refuses while such an event waits for its seal. Also where the last of these seals stands behind seals of events from
 * more than a day after the bound: somebody has added an event from the past, and beginning behind it would take from the
 * verification what is in between. Events from the future do not count: a clock that was years ahead once would keep
 * everything for years.
 */
const WRITE_CHECKPOINT = `
create function "user_service"."write_checkpoint"(bound uuid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  day_after uuid := user_service.uuid_floor(
    to_timestamp(('x' || left(replace(bound::text, '-', ''), 12))::bit(48)::bigint / 1000.0) + interval '1 day');
  tomorrow uuid := user_service.uuid_floor(now() + interval '1 day');
  last record;
begin
  if exists (select from user_service.security_event_queue where event_id < bound) then
    raise exception 'an event waits for its seal' using errcode = 'object_not_in_prerequisite_state';
  end if;
  -- What is left of the months that go with the present checkpoint stands before it.
  select ends.sequence, ends.chain_hash into last from (
    (select s.sequence, s.chain_hash from user_service.security_event_seals s
       where s.event_id < bound order by s.sequence desc limit 1)
    union all
    (select c.sequence, c.chain_hash from user_service.security_event_checkpoints c order by c.sequence desc limit 1)
  ) as ends order by ends.sequence desc limit 1;
  if not found then
    return;
  end if;
  -- The least one, and not whether there is a lesser one: the index on the sequence gives it, whatever the planner knows.
  if last.sequence > (select s.sequence from user_service.security_event_seals s
                      where s.event_id >= day_after and s.event_id < tomorrow order by s.sequence limit 1) then
    raise exception 'an event was sealed behind much later ones' using errcode = 'object_not_in_prerequisite_state';
  end if;
  insert into user_service.security_event_checkpoints as known (sequence, chain_hash, dropped_before)
    values (last.sequence, last.chain_hash, bound)
    on conflict (sequence) do update set dropped_before = greatest(known.dropped_before, excluded.dropped_before);
end
$$;`;

/**
 * Drops the oldest month of sessions_history, or of security_events with its seals, that ended by `before`; where no such
 * month is left, deletes up to 2,000 rows of the default partition from before the month of `before`. Answers the names
 * of what it took from: to be called, each time in a transaction of its own, until it answers nothing.
 *
 * Refuses a time less than 30 days ago: whoever has the service's password can't empty the log. A month with a session
 * that goes on stays.
 *
 * The checkpoint is at once that of all months that are to go: what keeps it from being written at one end of a month, as an
 * event of a clock that was days off, does not keep the months behind it for ever.
 *
 * A partition is dropped as it is: detaching it first would also lock users, and could not be done beside readers, as
 * there is a default partition. What it does lock, the table, it has for the milliseconds of the drop (the files go after
 * the commit) and waits for no longer than 50 ms: whoever comes to the table meanwhile waits behind it.
 */
const DROP_PARTITIONS = `
create function "user_service"."drop_partitions"(parent text, before timestamptz) returns setof text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '50ms'
as $$
declare
  parents text[] := case parent when 'security_events' then array[parent, 'security_event_seals'] else array[parent] end;
  month record;
  is_live boolean;
  bound uuid;
  locked text;
  dropped text;
  deleted bigint;
begin
  -- Nor from before 1970: UUIDs have no such time, and uuid_floor would answer one of the far future.
  if (parent in ('sessions_history', 'security_events')
      and before between timestamptz 'epoch' and now() - interval '30 days') is not true then
    raise exception 'no such partitions, or too young' using errcode = 'invalid_parameter_value';
  end if;
  if not pg_try_advisory_xact_lock(hashtextextended('user_service.' || parent, 0)) then
    return;
  end if;
  bound := user_service.uuid_floor(date_trunc('month', before at time zone 'UTC') at time zone 'UTC');

  for month in
    select known.upper_bound, array_agg(known.name order by array_position(parents, known.of)) as names
    from (
      select of.name as of, c.relname as name,
        (regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$ TO \\('([0-9a-f-]{36})'\\)$re$))[1]::uuid as upper_bound
      from unnest(parents) as of (name)
        join pg_inherits i on i.inhparent = format('user_service.%I', of.name)::regclass
        join pg_class c on c.oid = i.inhrelid
    ) as known
    where known.upper_bound <= bound
    group by known.upper_bound order by known.upper_bound
  loop
    if parent = 'sessions_history' then
      execute format('select exists (select from user_service.%I where terminated_at is null and expires_at > now())',
        month.names[1]) into is_live;
      continue when is_live;
    else
      perform user_service.write_checkpoint(bound);
    end if;
    foreach locked in array parents loop
      execute format('lock table only user_service.%I in access exclusive mode', locked);
    end loop;
    foreach dropped in array month.names loop
      execute format('drop table user_service.%I', dropped);
      return next dropped;
    end loop;
    return;
  end loop;

  if parent = 'sessions_history' then
    delete from user_service.sessions_history_default where id in (
      select id from user_service.sessions_history_default
      where id < bound and (terminated_at is not null or expires_at <= now()) order by id limit 2000);
    get diagnostics deleted = row_count;
    if deleted > 0 then
      return next 'sessions_history_default';
    end if;
  elsif exists (select from user_service.security_events_default where id < bound)
      or exists (select from user_service.security_event_seals_default where event_id < bound) then
    perform user_service.write_checkpoint(bound);
    delete from user_service.security_events_default where id in (
      select id from user_service.security_events_default where id < bound order by id limit 2000);
    get diagnostics deleted = row_count;
    -- After the events: one without its seal would pass for forged.
    if deleted = 0 then
      delete from user_service.security_event_seals_default where event_id in (
        select event_id from user_service.security_event_seals_default where event_id < bound order by event_id limit 2000);
    end if;
    return next 'security_events_default';
  end if;
end
$$;`;

/**
 * Refreshes the planner's statistics of a table, of a partitioned one for the table as a whole: its partitions have
 * their own, which autovacuum looks after.
 */
const ANALYZE_TABLE = `
create function "user_service"."analyze_table"(name text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '50ms'
as $$
begin
  if not exists (select from pg_class where relname = name and relnamespace = 'user_service'::regnamespace
                   and relkind in ('r', 'p')) then
    raise exception 'no such table' using errcode = 'invalid_parameter_value';
  end if;
  execute format('analyze %s user_service.%I',
    case when current_setting('server_version_num')::int >= 180000 then 'only' else '' end, name);
end
$$;`;
