/** The policy does not allow this user's devices to stand in for the second factor. */
export class DeviceTrustNotAllowed extends Error {
  constructor() {
    super('devices of this user can not be trusted');
    this.name = 'DeviceTrustNotAllowed';
  }
}

/** The user has no such device. */
export class TrustedDeviceNotFound extends Error {
  constructor() {
    super('the user has no such trusted device');
    this.name = 'TrustedDeviceNotFound';
  }
}
