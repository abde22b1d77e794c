import { v7 as uuidV7 } from 'uuid';
import type { ChangeOrigin } from './change.ts';
import type { Device } from './device.ts';
import type { SecurityEvent, Severity } from './security-event.ts';
import type { Uuid } from './uuid.ts';

/** What happened to sessions or tokens, for the audit log. */
export interface SessionChange {
  readonly type:
    | 'signed_out'
    | 'session_revoked'
    | 'sessions_revoked'
    | 'session_limit_reached'
    | 'token_revoked';
  readonly severity: Severity;
  /** One sentence for a person. */
  readonly description: string;
  readonly userId: Uuid;
  /** Null where it is about several. */
  readonly sessionId: Uuid | null;
  /** Unset where the call came without one. */
  readonly device?: Device;
  readonly metadata: Readonly<Record<string, unknown>> | ChangeOrigin;
  readonly at: Date;
}

const NO_DEVICE: Device = { id: null, fingerprint: null, name: null, ipAddress: null, userAgent: null };

/** The entry of the audit log for it. */
export function sessionEvent({ device = NO_DEVICE, at, metadata, ...change }: SessionChange): SecurityEvent {
  return { id: uuidV7() as Uuid, ...change, device, metadata: { ...metadata }, createdAt: at };
}
