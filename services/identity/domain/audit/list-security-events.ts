import type { SecurityEventFilter, SecurityEventPage } from '../security-event.ts';
import type { Uuid } from '../uuid.ts';
import type { AuditLogDeps } from './audit-log-deps.ts';

/**
 * A page of events, newest first.
 *
 * @throws DatabaseUnavailable
 */
export async function listSecurityEvents(
  { events, sessions }: Pick<AuditLogDeps, 'events' | 'sessions'>,
  filter: SecurityEventFilter,
  after: Uuid | null,
  limit: number,
): Promise<SecurityEventPage> {
  const userId = filter.userId ?? (await ownerOf(sessions, filter.sessionId));
  return await events.list({ ...filter, userId }, after, limit);
}

/**
 * An event in a session is about the session's user, whose events an index finds. Null where the session is not kept any
 * more: its events are then looked for among all since it began.
 */
async function ownerOf(sessions: AuditLogDeps['sessions'], sessionId: Uuid | null): Promise<Uuid | null> {
  if (sessionId === null) return null;
  return (await sessions.find(sessionId))?.userId ?? null;
}
