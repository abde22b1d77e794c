import type { EntityManager } from '@mikro-orm/postgresql';
import type {
  RecordedSecurityEvent,
  SecurityEventFilter,
  SecurityEventPage,
} from '../../domain/security-event.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { query } from '../sql.ts';
import { EVENT_COLUMNS, type EventColumns, toEvent } from './event-columns.ts';
import { type Condition, type EventSearchPlan, planEventSearch } from './event-search-plan.ts';

/** Entries that are looked at for one page, about: a fraction of a second. */
const MOST_EXAMINED = 50_000;
/** Entries of the first statement, where it is not known how rare the events are. */
const FIRST_WINDOW = 500;
const LARGEST_WINDOW = 10_000;

/** A range of ids, of which `floor` is the least and `ceiling` is behind the greatest. */
interface Range {
  readonly floor: Uuid;
  readonly ceiling: Uuid;
}

/** See SecurityEventReads.list. */
export async function searchEvents(
  em: EntityManager,
  filter: SecurityEventFilter,
  after: Uuid | null,
  limit: number,
): Promise<SecurityEventPage> {
  const plan = planEventSearch(filter);
  const { floor } = plan;
  let ceiling = after !== null && after < plan.ceiling ? after : plan.ceiling;
  // One more than asked for tells whether there is another page.
  if (plan.rest === null) return pageOf(await read(em, plan, { floor, ceiling }, limit + 1), limit, null);

  // No index answers the rest: window by window, so that no statement looks at more entries than it has time for.
  const found: RecordedSecurityEvent[] = [];
  let size = FIRST_WINDOW;
  for (let examined = 0; examined < MOST_EXAMINED; examined += size) {
    if (examined > 0) size = Math.min(4 * size, LARGEST_WINDOW);
    const end = await endOfWindow(em, plan, { floor, ceiling }, size);
    if (end === null) return pageOf(found, limit, null);
    found.push(...(await read(em, plan, { floor: end, ceiling }, limit + 1 - found.length)));
    if (found.length > limit) break;
    ceiling = end;
  }
  return pageOf(found, limit, ceiling);
}

/** @param end what was looked at so far; null where that is all */
function pageOf(found: readonly RecordedSecurityEvent[], limit: number, end: Uuid | null): SecurityEventPage {
  const events = found.slice(0, limit);
  return { events, next: found.length > limit ? (events.at(-1)?.id ?? null) : end };
}

/** The least id of the next `size` entries; null where there are none. */
async function endOfWindow(
  em: EntityManager,
  { branches }: EventSearchPlan,
  range: Range,
  size: number,
): Promise<Uuid | null> {
  const { sql, params } = newest('id', branches, null, range, size);
  const [row] = await query<{ id: Uuid }>(
    em,
    `select id from (${sql}) as entries order by id limit 1`,
    params,
  );
  return row?.id ?? null;
}

async function read(
  em: EntityManager,
  { branches, rest }: EventSearchPlan,
  range: Range,
  limit: number,
): Promise<RecordedSecurityEvent[]> {
  const { sql, params } = newest(EVENT_COLUMNS, branches, rest, range, limit);
  return (await query<EventColumns>(em, sql, params)).map(toEvent);
}

/** The newest events of a range: a statement for each branch, so that its index gives them in their order. */
function newest(
  columns: string,
  branches: readonly Condition[],
  rest: Condition | null,
  { floor, ceiling }: Range,
  limit: number,
): Condition {
  const also = rest === null ? '' : ` and ${rest.sql}`;
  const statements = branches.map(
    ({ sql }) => `(select ${columns} from user_service.security_events
      where ${sql} and id >= ? and id < ?${also} order by id desc limit ?)`,
  );
  const values = branches.flatMap(({ params }) => [
    ...params,
    floor,
    ceiling,
    ...(rest?.params ?? []),
    limit,
  ]);
  if (statements.length === 1) return { sql: statements.join(''), params: values };
  return {
    sql: `${statements.join(' union all ')} order by id desc limit ?`,
    params: [...values, limit],
  };
}
