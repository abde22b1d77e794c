import type { DeviceType, Passkey } from '../domain/passkeys/passkey.ts';
import type { Uuid } from '../domain/uuid.ts';
import { type TimestampText, toDate, toDateOrNull } from './sql.ts';

/** A passkey as SQL answers {@link PASSKEY_COLUMNS}. */
export interface PasskeyColumns {
  id: Uuid;
  user_id: Uuid;
  credential_id: Buffer;
  public_key: Buffer;
  /** A bigint, which comes as text. */
  sign_count: string;
  aaguid: Uuid | null;
  transports: string[];
  name: string | null;
  device_type: DeviceType;
  backed_up: boolean;
  created_at: TimestampText;
  last_used_at: TimestampText | null;
}

/** What a passkey is read by. */
export const PASSKEY_COLUMNS = `id, user_id, credential_id, public_key, sign_count, aaguid, transports, name, device_type,
  backed_up, created_at, last_used_at`;

export function toPasskey(row: PasskeyColumns): Passkey {
  return {
    id: row.id,
    userId: row.user_id,
    credentialId: row.credential_id,
    publicKey: row.public_key,
    // Authenticators count in 32 bits (WebAuthn section 6.1).
    signCount: Number(row.sign_count),
    aaguid: row.aaguid,
    transports: row.transports,
    name: row.name,
    deviceType: row.device_type,
    backedUp: row.backed_up,
    createdAt: toDate(row.created_at),
    lastUsedAt: toDateOrNull(row.last_used_at),
  };
}
