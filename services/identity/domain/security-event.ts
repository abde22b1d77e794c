import type { Device } from './device.ts';
import type { Uuid } from './uuid.ts';

export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** An entry of the audit log. Never holds a password, a token or a hash of one. */
export interface SecurityEvent {
  readonly id: Uuid;
  /** For example `login_succeeded`. */
  readonly type: string;
  readonly severity: Severity;
  /** One sentence for a person. */
  readonly description: string;
  readonly userId: Uuid | null;
  readonly sessionId: Uuid | null;
  readonly device: Device;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
}
