import { v7 as uuidV7 } from 'uuid';
import type { ChangeOrigin } from '../change.ts';
import type { Device } from '../device.ts';
import type { SecurityEvent, Severity } from '../security-event.ts';
import type { Uuid } from '../uuid.ts';

/** Backends change users here, not people at their devices. */
const NO_DEVICE: Device = { id: null, fingerprint: null, name: null, ipAddress: null, userAgent: null };

/** What happened to a user or to several; never with personal data, which the log could not forget. */
export interface UserEvent {
  readonly type: string;
  readonly severity: Severity;
  /** One sentence for a person. */
  readonly description: string;
  /** Null where it is about several. */
  readonly userId: Uuid | null;
  readonly origin: ChangeOrigin;
  readonly at: Date;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** The entry of the audit log for what happened to a user. */
export function userEvent({
  type,
  severity,
  description,
  userId,
  origin,
  at,
  metadata,
}: UserEvent): SecurityEvent {
  return {
    id: uuidV7({ msecs: at.getTime() }) as Uuid,
    type,
    severity,
    description,
    userId,
    sessionId: null,
    device: NO_DEVICE,
    metadata: { ...origin, ...metadata },
    createdAt: at,
  };
}
