import type { Role } from '../user.ts';

export interface TrustedDevicePolicyOptions {
  /** How long trust lasts, in milliseconds; 0: nobody's devices are trusted. */
  readonly lifetimeMs: number;
  /** The roles whose users may trust devices. */
  readonly roles: readonly Role[];
}

/** Whose devices may stand in for the second factor, and for how long. */
export class TrustedDevicePolicy {
  /** How long trust lasts, in milliseconds; 0: nobody's devices are trusted. */
  readonly lifetimeMs: number;
  readonly #roles: ReadonlySet<Role>;

  constructor({ lifetimeMs, roles }: TrustedDevicePolicyOptions) {
    this.lifetimeMs = lifetimeMs;
    this.#roles = new Set(roles);
  }

  /** Whether devices of a user with these roles may: one role that is not allowed forbids it, and so does none at all. */
  allows(roles: readonly Role[]): boolean {
    return this.lifetimeMs > 0 && roles.length > 0 && roles.every((role) => this.#roles.has(role));
  }
}
