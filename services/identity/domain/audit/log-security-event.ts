import { v7 as uuidV7 } from 'uuid';
import { type AnswerCodec, once, type RequestKey } from '../idempotency.ts';
import type { RecordedSecurityEvent, SecurityEvent } from '../security-event.ts';
import { isUuid, type Uuid } from '../uuid.ts';
import type { AuditLogDeps } from './audit-log-deps.ts';
import { getSecurityEvent } from './get-security-event.ts';

/** The key of the metadata that tells which backend added an event. It is the server's. */
export const CALLER_KEY = 'caller';

/** An event of another backend. Users and sessions are not looked up: the log outlives both. */
export interface ForeignEvent extends Omit<SecurityEvent, 'id' | 'createdAt'> {
  /** Name of the backend that called; null where callers are not authenticated. */
  readonly caller: string | null;
  readonly requestKey: RequestKey | null;
}

/** Only the id is kept, as an erasure would not find what the event tells about a person in an answer. */
const idCodec: AnswerCodec<Uuid> = {
  toJson: (id) => id,
  fromJson: (json) => {
    if (!isUuid(json)) throw new Error('a kept answer is no id of an event');
    return json;
  },
  userIdOf: () => null,
};

/**
 * Adds an event of another backend; the same request again adds none.
 *
 * @throws RequestIdReused, DatabaseUnavailable
 */
export async function logSecurityEvent(
  deps: Pick<AuditLogDeps, 'unitOfWork' | 'events' | 'now'>,
  { caller, requestKey, ...event }: ForeignEvent,
): Promise<RecordedSecurityEvent> {
  const id = await once(deps.unitOfWork, requestKey, idCodec, async ({ securityEvents }) => {
    const createdAt = deps.now();
    const id = uuidV7({ msecs: createdAt.getTime() }) as Uuid;
    const metadata = { ...event.metadata, [CALLER_KEY]: caller };
    await securityEvents.append({ ...event, id, metadata, createdAt });
    return id;
  });
  return await getSecurityEvent(deps, id);
}
