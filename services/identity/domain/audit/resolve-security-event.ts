import { v7 as uuidV7 } from 'uuid';
import { NO_DEVICE } from '../credentials/no-device.ts';
import type { RecordedSecurityEvent } from '../security-event.ts';
import type { Uuid } from '../uuid.ts';
import type { AuditLogDeps } from './audit-log-deps.ts';
import { SecurityEventNotFound, SecurityEventResolved } from './errors.ts';

export interface ResolutionRequest {
  readonly id: Uuid;
  /** A user's id or an operator's name. */
  readonly by: string;
  /** Null where nothing is said. */
  readonly note: string | null;
  /** Name of the backend that called; null where callers are not authenticated. */
  readonly caller: string | null;
}

/**
 * Notes what came of looking at an event. No hash covers that, as it comes later: an event of its own does, for what a
 * chain can vouch for. The note is not repeated there: it could not be erased.
 *
 * @throws SecurityEventNotFound, SecurityEventResolved, DatabaseUnavailable
 */
export async function resolveSecurityEvent(
  { unitOfWork, now }: Pick<AuditLogDeps, 'unitOfWork' | 'now'>,
  { id, by, note, caller }: ResolutionRequest,
): Promise<RecordedSecurityEvent> {
  return await unitOfWork.transactional(async ({ securityEvents }) => {
    const at = now();
    const resolved = await securityEvents.resolve(id, { at, by, note });
    if (resolved === null) {
      const isThere = (await securityEvents.findById(id)) !== null;
      throw isThere ? new SecurityEventResolved() : new SecurityEventNotFound();
    }
    await securityEvents.append({
      id: uuidV7({ msecs: at.getTime() }) as Uuid,
      type: 'security_event_resolved',
      severity: 'info',
      description: 'Somebody looked at an event and resolved it.',
      userId: resolved.userId,
      sessionId: null,
      device: NO_DEVICE,
      metadata: { event_id: id, resolved_by: by, caller },
      createdAt: at,
    });
    return resolved;
  });
}
