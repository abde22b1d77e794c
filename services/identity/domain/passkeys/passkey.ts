import type { Uuid } from '../uuid.ts';

/** Whether a passkey stays on the device that made it, or may be synchronised (backup eligibility, WebAuthn 6.1.3). */
export type DeviceType = 'single_device' | 'multi_device';

/** How strongly an authenticator is asked for a PIN or a biometric check (WebAuthn 5.8.6). */
export type UserVerification = 'required' | 'preferred' | 'discouraged';

/** A WebAuthn credential of a user (credential record, WebAuthn level 3 section 4). */
export interface Passkey {
  readonly id: Uuid;
  readonly userId: Uuid;
  /** As the authenticator chose it, at most 1023 bytes. */
  readonly credentialId: Buffer;
  /** A COSE_Key (RFC 9052). */
  readonly publicKey: Buffer;
  /** 0 for authenticators that don't count. */
  readonly signCount: number;
  /** The model of the authenticator, where it tells. Not proven: no attestation is asked for. */
  readonly aaguid: Uuid | null;
  /** How browsers may reach the authenticator: `internal`, `hybrid`, `usb` and others to come. */
  readonly transports: readonly string[];
  readonly name: string | null;
  readonly deviceType: DeviceType;
  readonly backedUp: boolean;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
}

/** What a browser needs to find a passkey again. */
export type PasskeyDescriptor = Pick<Passkey, 'credentialId' | 'transports'>;
