import { SEVERITIES, type SecurityEventFilter, type Severity } from '../../domain/security-event.ts';
import type { Uuid } from '../../domain/uuid.ts';

/** A condition on columns of `security_events`, with `?` for its values. */
export interface Condition {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** How events are found that a filter selects. */
export interface EventSearchPlan {
  /** Each of them an index answers in the order of ids; no event fulfils two. */
  readonly branches: readonly Condition[];
  /** What is then asked of each event; null where nothing is. */
  readonly rest: Condition | null;
  /** The ids to look at: this one and greater ones, up to `ceiling`, itself excluded. */
  readonly floor: Uuid;
  readonly ceiling: Uuid;
}

/** Below every id: RFC 9562 section 5.9. */
const NIL_UUID = '00000000-0000-0000-0000-000000000000' as Uuid;
/** Above every id: RFC 9562 section 5.10. */
const MAX_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff' as Uuid;
const LAST_MS = 2 ** 48 - 1;
/** How far an id's time may be from what the event says: it is given a moment before or after, by any replica's clock. */
const CLOCKS_APART_MS = 60_000;
const OPEN: readonly Severity[] = ['high', 'critical'];

/** Chooses the index that leaves the fewest events to look at, as far as that can be known. */
export function planEventSearch(filter: SecurityEventFilter): EventSearchPlan {
  const { userId, types, unresolved } = filter;
  const severities = severitiesOf(filter);
  const ofUser = userId === null ? [] : [{ sql: 'user_id = ?', params: [userId] }];
  const isOpen = severities.map((severity) => ({
    sql: `not resolved and severity = '${severity}'`,
    params: [],
  }));
  const ofTypes = types.map((type) => ({ sql: 'event_type = ?', params: [type] }));
  const ofSeverities =
    severities.length === SEVERITIES.length
      ? []
      : [{ sql: `severity in (${severities.map((severity) => `'${severity}'`).join(', ')})`, params: [] }];
  const rest = [...ofSessionAndTime(filter)];

  const plan = { floor: floorOf(filter), ceiling: ceilingOf(filter) };
  if (userId !== null) {
    const others = [anyOf(ofTypes), ...(unresolved ? [anyOf(isOpen)] : ofSeverities), ...rest];
    return { ...plan, branches: ofUser, rest: allOf(others) };
  }
  if (unresolved) return { ...plan, branches: isOpen, rest: allOf([anyOf(ofTypes), ...rest]) };
  if (types.length > 0) return { ...plan, branches: ofTypes, rest: allOf([...ofSeverities, ...rest]) };
  return { ...plan, branches: [{ sql: 'true', params: [] }], rest: allOf([...ofSeverities, ...rest]) };
}

function severitiesOf({ minSeverity, unresolved }: SecurityEventFilter): readonly Severity[] {
  const least = minSeverity === null ? 0 : SEVERITIES.indexOf(minSeverity);
  return SEVERITIES.slice(least).filter((severity) => !unresolved || OPEN.includes(severity));
}

function ofSessionAndTime({ sessionId, createdFrom, createdBefore }: SecurityEventFilter): Condition[] {
  const conditions: Condition[] = [];
  if (sessionId !== null) conditions.push({ sql: 'session_id = ?', params: [sessionId] });
  if (createdFrom !== null) conditions.push({ sql: 'created_at >= ?', params: [createdFrom] });
  if (createdBefore !== null) conditions.push({ sql: 'created_at < ?', params: [createdBefore] });
  return conditions;
}

function anyOf(conditions: readonly Condition[]): Condition | null {
  return joined(conditions, ' or ');
}

function allOf(conditions: readonly (Condition | null)[]): Condition | null {
  return joined(
    conditions.filter((condition) => condition !== null),
    ' and ',
  );
}

function joined(conditions: readonly Condition[], operator: string): Condition | null {
  if (conditions.length === 0) return null;
  return {
    sql: `(${conditions.map(({ sql }) => sql).join(operator)})`,
    params: conditions.flatMap(({ params }) => params),
  };
}

function floorOf({ createdFrom, sessionId }: SecurityEventFilter): Uuid {
  const from = createdFrom === null ? 0 : createdFrom.getTime();
  // Nothing happens in a session before it begins, which is what a version 7 id tells.
  const begin = sessionId?.[14] === '7' ? Number.parseInt(sessionId.slice(0, 13).replace('-', ''), 16) : 0;
  return uuidFloor(Math.max(from, begin) - CLOCKS_APART_MS);
}

function ceilingOf({ createdBefore }: SecurityEventFilter): Uuid {
  if (createdBefore === null) return MAX_UUID;
  const until = createdBefore.getTime() + CLOCKS_APART_MS;
  return until > LAST_MS ? MAX_UUID : uuidFloor(until);
}

/** The least UUID of version 7 with this time, in milliseconds since 1970: what user_service.uuid_floor gives. */
function uuidFloor(ms: number): Uuid {
  if (ms <= 0) return NIL_UUID;
  const time = Math.min(ms, LAST_MS).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000` as Uuid;
}
