import {
  type AuthenticationContext,
  type AuthenticationMethod,
  acrOf,
} from '../domain/authentication-context.ts';
import type { IpAddress } from '../domain/ip-address.ts';
import type { StoredSession } from '../domain/session.ts';
import type { Uuid } from '../domain/uuid.ts';
import { type TimestampText, toDate, toDateOrNull } from './sql.ts';

/** A session as SQL answers {@link SESSION_COLUMNS}. */
export interface SessionColumns {
  id: Uuid;
  user_id: Uuid;
  device_id: string | null;
  device_fingerprint: string | null;
  device_name: string | null;
  ip_address: IpAddress | null;
  user_agent: string | null;
  created_at: TimestampText;
  expires_at: TimestampText;
  last_activity_at: TimestampText;
  terminated_at: TimestampText | null;
  termination_reason: string | null;
  mfa_verified: boolean;
  is_trusted_device: boolean;
  amr: AuthenticationMethod[];
  authenticated_at: TimestampText | null;
}

/** What a session is read by. */
export const SESSION_COLUMNS = `id, user_id, device_id, device_fingerprint, device_name, host(ip_address) as ip_address,
  user_agent, created_at, expires_at, last_activity_at, terminated_at, termination_reason, mfa_verified, is_trusted_device,
  amr, authenticated_at`;

export function toSession(row: SessionColumns): StoredSession {
  return {
    id: row.id,
    userId: row.user_id,
    device: {
      id: row.device_id,
      fingerprint: row.device_fingerprint,
      name: row.device_name,
      ipAddress: row.ip_address,
      userAgent: row.user_agent,
    },
    createdAt: toDate(row.created_at),
    expiresAt: toDate(row.expires_at),
    lastActivityAt: toDate(row.last_activity_at),
    authentication: toAuthentication(row),
    mfaVerified: row.mfa_verified,
    isTrustedDevice: row.is_trusted_device,
    endedAt: toDateOrNull(row.terminated_at),
    endReason: row.termination_reason,
  };
}

/** How a session's user authenticated. A session from before that was written down was opened with a password. */
export function toAuthentication(
  row: Pick<SessionColumns, 'amr' | 'authenticated_at' | 'created_at'>,
): AuthenticationContext {
  return {
    amr: row.amr,
    acr: acrOf(row.amr),
    authenticatedAt: toDate(row.authenticated_at ?? row.created_at),
  };
}
