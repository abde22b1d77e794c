import type { IpAddress } from './ip-address.ts';
import type { Uuid } from './uuid.ts';

/** A device that a user chose to trust. */
export interface TrustedDevice {
  readonly id: Uuid;
  readonly userId: Uuid;
  readonly deviceId: string | null;
  /** What the trust is bound to: a device without one is trusted by nobody. */
  readonly fingerprint: string | null;
  readonly name: string | null;
  /** Where it was seen last. */
  readonly ipAddress: IpAddress | null;
  readonly createdAt: Date;
  readonly lastSeenAt: Date;
  /** How often it has stood in for the second factor or was verified. */
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

/** Whether the trust goes on at a time: neither taken nor run out. */
export function isTrusted({ revokedAt, expiresAt }: TrustedDevice, at: Date): boolean {
  return revokedAt === null && expiresAt > at;
}

/** Why devices lost their trust before its time. */
export type TrustRevocationReason =
  | 'revoked'
  | 'device_limit'
  | 'password_changed'
  | 'password_reset'
  | 'second_factor_removed'
  | 'second_factors_reset'
  | 'user_suspended'
  | 'user_deleted';

/** A piece of a user's list, newest first. */
export interface TrustedDevicePage {
  /** Only those that are trusted at this time; null for all. */
  readonly trustedAt: Date | null;
  /** The last device of the page before; null for the first page. */
  readonly before: Uuid | null;
  readonly limit: number;
}

/** Which of a user's devices lose their trust, and why. */
export interface TrustRevocation {
  readonly userId: Uuid;
  readonly reason: TrustRevocationReason;
  readonly at: Date;
}

/** Reads of trusted devices. Each throws DatabaseUnavailable. */
export interface TrustedDeviceReads {
  /** Also one that is not trusted any more. */
  findByTokenHash(trustTokenHash: Buffer): Promise<TrustedDevice | null>;
  listByUser(userId: Uuid, page: TrustedDevicePage): Promise<TrustedDevice[]>;
}

/** What is read from and written to trusted devices. Each method throws DatabaseUnavailable where the database is away. */
export interface TrustedDevices extends TrustedDeviceReads {
  insert(device: NewTrustedDevice): Promise<void>;
  /** A user's device, also one that is not trusted any more. */
  find(device: { readonly id: Uuid; readonly userId: Uuid }): Promise<TrustedDevice | null>;
  /**
   * Counts a use, and holds the device until the transaction ends.
   *
   * @returns the device after it; null, and nothing written, where it is not trusted at that time: it may not stand in
   *   for anything.
   */
  recordUse(use: {
    readonly id: Uuid;
    readonly userId: Uuid;
    readonly ipAddress: IpAddress | null;
    readonly at: Date;
  }): Promise<TrustedDevice | null>;
  /** False, and nothing written, where the user has no such device or it is not trusted any more. */
  revoke(revocation: TrustRevocation & { readonly id: Uuid }): Promise<boolean>;
  /** @returns how many devices were trusted until then. */
  revokeAllOfUser(revocation: TrustRevocation): Promise<number>;
  /**
   * Takes the trust from all but the newest `most` devices that are trusted. The caller holds the user's row: two would
   * not count each other's.
   *
   * @returns how many devices were trusted until then.
   */
  revokeBeyond(revocation: TrustRevocation & { readonly most: number }): Promise<number>;
}
