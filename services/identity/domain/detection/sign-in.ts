import type { Device } from '../device.ts';
import type { IpAddress } from '../ip-address.ts';
import type { Places } from './place.ts';

/** A time that the user signed in before. */
export interface PastSignIn {
  readonly at: Date;
  readonly deviceId: string | null;
  readonly fingerprint: string | null;
  readonly ipAddress: IpAddress | null;
}

/** A sign-in whose first factor was right, and what there is to compare it with. */
export interface AssessedSignIn {
  readonly device: Device;
  readonly at: Date;
  /** The user's latest sign-ins before this one, up to 50, in any order. */
  readonly history: readonly PastSignIn[];
  readonly places: Places;
}
