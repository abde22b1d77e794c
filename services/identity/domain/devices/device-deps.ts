import type { SessionProofDeps } from '../challenges/session-proof.ts';
import type { TrustedDeviceReads } from '../trusted-devices.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { TrustedDevicePolicy } from './trusted-device-policy.ts';

/** What the use cases of trusted devices work with. */
export interface DeviceDeps extends SessionProofDeps {
  readonly unitOfWork: UnitOfWork;
  readonly trustedDevices: Pick<TrustedDeviceReads, 'listByUser'>;
  readonly trustedDevicePolicy: TrustedDevicePolicy;
}
