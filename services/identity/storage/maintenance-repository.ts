import type { EntityManager } from '@mikro-orm/postgresql';
import type { MaintenanceStore, TaskEnd, TaskState } from '../domain/maintenance/maintenance-store.ts';
import { query, type TimestampText, toDate, toDateOrNull } from './sql.ts';

/** The row that says who does the maintenance. No task has this name. */
const LEASE = 'scheduler';

interface TaskColumns {
  name: string;
  next_run_at: TimestampText;
  last_started_at: TimestampText | null;
  last_finished_at: TimestampText | null;
  last_succeeded_at: TimestampText | null;
  last_error: string;
  last_count: string;
  total_count: string;
  is_running: boolean;
  lag_ms: number;
}

const COLUMNS = `t.name, t.next_run_at, t.last_started_at, t.last_finished_at, t.last_succeeded_at, t.last_error,
  t.last_count, t.total_count,
  exists (select from user_service.maintenance_tasks l
          where l.name = '${LEASE}' and l.lease_holder = t.lease_holder and l.lease_until > now()) as is_running,
  greatest(0, extract(epoch from now() - t.next_run_at) * 1000)::float8 as lag_ms`;

/** When tasks run and who runs them, in PostgreSQL: by its clock, which all replicas share. */
export class MaintenanceRepository implements MaintenanceStore {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async lead(holder: string, leaseMs: number): Promise<boolean> {
    const led = await query(
      this.#em,
      `insert into user_service.maintenance_tasks as t (name, next_run_at, lease_holder, lease_until)
       values ('${LEASE}', now(), ?, now() + ?::float8 * interval '1 ms')
       on conflict (name) do update set lease_holder = excluded.lease_holder, lease_until = excluded.lease_until
       where t.lease_holder is null or t.lease_holder = excluded.lease_holder or t.lease_until <= now()
       returning 1 as led`,
      [holder, leaseMs],
    );
    return led.length > 0;
  }

  async resign(holder: string): Promise<void> {
    await query(
      this.#em,
      `update user_service.maintenance_tasks set lease_holder = null, lease_until = null
       where name = '${LEASE}' and lease_holder = ?`,
      [holder],
    );
  }

  async register(names: readonly string[]): Promise<void> {
    await query(
      this.#em,
      `insert into user_service.maintenance_tasks (name, next_run_at) select unnest(?::text[]), now()
       on conflict (name) do nothing`,
      [`{${names.join()}}`],
    );
  }

  async findDue(names: readonly string[]): Promise<string | null> {
    const [row] = await query<{ name: string }>(
      this.#em,
      `select name from user_service.maintenance_tasks
       where name = any(?::text[]) and (next_run_at <= now() or lease_holder is not null)
       order by next_run_at, name limit 1`,
      [`{${names.join()}}`],
    );
    return row?.name ?? null;
  }

  async begin(
    name: string,
    { holder, intervalMs }: { readonly holder: string; readonly intervalMs: number },
  ): Promise<boolean> {
    const begun = await query(
      this.#em,
      `update user_service.maintenance_tasks set last_started_at = now(), lease_holder = ?,
         next_run_at = now() + ?::float8 * interval '1 ms'
       where name = ? and exists (select from user_service.maintenance_tasks
                                  where name = '${LEASE}' and lease_holder = ? and lease_until > now())
       returning 1 as begun`,
      [holder, intervalMs, name, holder],
    );
    return begun.length > 0;
  }

  async finish(name: string, { holder, count, error, againInMs }: TaskEnd): Promise<void> {
    await query(
      this.#em,
      `update user_service.maintenance_tasks
       set last_finished_at = now(), lease_holder = null, last_error = ?, last_count = ?, total_count = total_count + ?,
         last_succeeded_at = case when ? then now() else last_succeeded_at end,
         next_run_at = least(next_run_at, now() + ?::float8 * interval '1 ms')
       where name = ? and lease_holder = ?`,
      [error, count ?? 0, count ?? 0, count !== null, againInMs, name, holder],
    );
  }

  async request(name: string): Promise<TaskState> {
    const [row] = await query<TaskColumns>(
      this.#em,
      `insert into user_service.maintenance_tasks as t (name, next_run_at) values (?, now())
       on conflict (name) do update set next_run_at = least(t.next_run_at, excluded.next_run_at)
       returning ${COLUMNS}`,
      [name],
    );
    if (row === undefined) throw new Error('a maintenance task was neither added nor changed');
    return toState(row);
  }

  async status(): Promise<{ readonly tasks: readonly TaskState[]; readonly runner: string | null }> {
    const rows = await query<TaskColumns>(
      this.#em,
      `select ${COLUMNS} from user_service.maintenance_tasks t where t.name <> '${LEASE}' order by t.name`,
      [],
    );
    const [leader] = await query<{ lease_holder: string }>(
      this.#em,
      `select lease_holder from user_service.maintenance_tasks where name = '${LEASE}' and lease_until > now()`,
      [],
    );
    return { tasks: rows.map(toState), runner: leader?.lease_holder ?? null };
  }
}

function toState(row: TaskColumns): TaskState {
  return {
    name: row.name,
    nextRunAt: toDate(row.next_run_at),
    lastStartedAt: toDateOrNull(row.last_started_at),
    lastFinishedAt: toDateOrNull(row.last_finished_at),
    lastSucceededAt: toDateOrNull(row.last_succeeded_at),
    lastError: row.last_error,
    lastCount: BigInt(row.last_count),
    totalCount: BigInt(row.total_count),
    isRunning: row.is_running,
    lagMs: Math.round(row.lag_ms),
  };
}
