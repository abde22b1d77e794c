/** When failures lock, and for how long. */
export interface LockoutPolicy {
  /** Failures from which on each one locks, 1 or more. */
  readonly threshold: number;
  /** The first lock, in milliseconds; each further failure doubles it. */
  readonly baseMs: number;
  /** The longest lock, in milliseconds. */
  readonly maxMs: number;
  /** Time without failures after which the count begins anew, in milliseconds. A lock's own time is no such time. */
  readonly forgetAfterMs: number;
}

/** Whom failed sign-ins lock out: the account, and the network they come from. */
export interface LockoutPolicies {
  /** Failures in a row: a success ends them. NIST SP 800-63B-4 section 3.2.2 allows at most 100. */
  readonly account: LockoutPolicy;
  /** Failures within an hour, whatever the account. No success ends them: an attacker has an account too. */
  readonly network: LockoutPolicy;
}

const HOUR_MS = 3_600_000;

/** The policies by their settings: locks in seconds. */
export function lockoutPolicies(settings: {
  readonly accountThreshold: number;
  readonly networkThreshold: number;
  readonly baseSeconds: number;
  readonly maxSeconds: number;
}): LockoutPolicies {
  const baseMs = settings.baseSeconds * 1000;
  const maxMs = Math.max(baseMs, settings.maxSeconds * 1000);
  return {
    account: { threshold: settings.accountThreshold, baseMs, maxMs, forgetAfterMs: 24 * HOUR_MS },
    network: { threshold: settings.networkThreshold, baseMs, maxMs, forgetAfterMs: HOUR_MS },
  };
}
