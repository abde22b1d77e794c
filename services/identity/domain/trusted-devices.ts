import type { IpAddress } from './ip-address.ts';
import type { Uuid } from './uuid.ts';

/** A device on which a user need not give a second factor. */
export interface TrustedDevice {
  readonly id: Uuid;
  readonly userId: Uuid;
  readonly deviceId: string | null;
  readonly fingerprint: string | null;
  readonly name: string | null;
  /** Where it was seen last. */
  readonly ipAddress: IpAddress | null;
  readonly createdAt: Date;
  readonly lastSeenAt: Date;
  /** How often it has stood in for the second factor. */
  readonly useCount: number;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  readonly revocationReason: string | null;
}

/** A device that is about to be trusted. */
export interface NewTrustedDevice
  extends Omit<TrustedDevice, 'lastSeenAt' | 'useCount' | 'revokedAt' | 'revocationReason'> {
  /** SHA-256 of the token that the device shows. */
  readonly trustTokenHash: Buffer;
}

/**
 * What is read from and written to trusted devices. Each method throws DatabaseUnavailable where the database is away.
 * A device is trusted at a time while it is neither revoked nor expired then.
 */
export interface TrustedDevices {
  insert(device: NewTrustedDevice): Promise<void>;
  /** Also one that is not trusted any more. */
  findByTokenHash(trustTokenHash: Buffer): Promise<TrustedDevice | null>;
  /** Newest first; those not trusted any more too. */
  listByUser(
    userId: Uuid,
    page: { readonly before: Uuid | null; readonly limit: number },
  ): Promise<TrustedDevice[]>;
  /** False, and nothing written, where the device is not trusted at that time: it may not stand in for anything. */
  recordUse(use: {
    readonly id: Uuid;
    readonly userId: Uuid;
    readonly ipAddress: IpAddress | null;
    readonly at: Date;
  }): Promise<boolean>;
  /** False, and nothing written, where the user has no such device or it is revoked. */
  revoke(revocation: {
    readonly id: Uuid;
    readonly userId: Uuid;
    readonly reason: string;
    readonly at: Date;
  }): Promise<boolean>;
  /** @returns how many devices were trusted until then. */
  revokeAllOfUser(revocation: {
    readonly userId: Uuid;
    readonly reason: string;
    readonly at: Date;
  }): Promise<number>;
}
