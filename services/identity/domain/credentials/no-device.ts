import type { Device } from '../device.ts';

/** Where a call says nothing of a device. */
export const NO_DEVICE: Device = {
  id: null,
  fingerprint: null,
  name: null,
  ipAddress: null,
  userAgent: null,
};
