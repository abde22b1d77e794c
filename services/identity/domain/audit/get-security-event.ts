import type { RecordedSecurityEvent } from '../security-event.ts';
import type { Uuid } from '../uuid.ts';
import type { AuditLogDeps } from './audit-log-deps.ts';
import { SecurityEventNotFound } from './errors.ts';

/** @throws SecurityEventNotFound, DatabaseUnavailable */
export async function getSecurityEvent(
  { events }: Pick<AuditLogDeps, 'events'>,
  id: Uuid,
): Promise<RecordedSecurityEvent> {
  const event = await events.findById(id);
  if (event === null) throw new SecurityEventNotFound();
  return event;
}
