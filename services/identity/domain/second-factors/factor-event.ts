import { v7 as uuidV7 } from 'uuid';
import type { Device } from '../device.ts';
import type { SecurityEvent, Severity } from '../security-event.ts';
import type { Uuid } from '../uuid.ts';

/** What a user did to their second factors, for the audit log. */
export interface FactorEvent {
  readonly type:
    | 'totp_enrollment_begun'
    | 'second_factor_added'
    | 'second_factor_removed'
    | 'recovery_codes_made';
  readonly severity: Severity;
  /** One sentence for a person. */
  readonly description: string;
  readonly userId: Uuid;
  readonly sessionId: Uuid | null;
  readonly device: Device;
  /** Never a secret or a code. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly at: Date;
}

/** The entry of the audit log for it. */
export function factorEvent({ at, ...event }: FactorEvent): SecurityEvent {
  return { id: uuidV7() as Uuid, ...event, createdAt: at };
}
