import type { DetectionRule, Response } from './rules.ts';

/** How long failed sign-ins are counted together, in milliseconds. */
export const FAILURE_WINDOW_MS = 600_000;

/** What findings bring about, and what makes a finding of failed sign-ins. */
export interface DetectionPolicy {
  readonly responses: Readonly<Record<DetectionRule, Response>>;
  /** Different accounts whose sign-ins failed from one network within {@link FAILURE_WINDOW_MS}, 2 to 32. */
  readonly stuffingAccounts: number;
  /** Failed sign-ins of one account within {@link FAILURE_WINDOW_MS}, 3 to 1000. */
  readonly burstFailures: number;
  /** How long the response `lock` locks, in milliseconds: an account, or of credential stuffing the network. */
  readonly lockMs: number;
}

/** The policy by its settings. The lock is the longest that wrong passwords bring about: there is no guess to forgive. */
export function detectionPolicy(settings: {
  readonly detectionNewDevice: Response;
  readonly detectionNewCountry: Response;
  readonly detectionImpossibleTravel: Response;
  readonly detectionCredentialStuffing: Response;
  readonly detectionFailureBurst: Response;
  readonly detectionRefreshTokenReuse: Response;
  readonly credentialStuffingAccounts: number;
  readonly failureBurstThreshold: number;
  readonly lockoutMaxSeconds: number;
}): DetectionPolicy {
  return {
    responses: {
      new_device: settings.detectionNewDevice,
      new_country: settings.detectionNewCountry,
      impossible_travel: settings.detectionImpossibleTravel,
      credential_stuffing: settings.detectionCredentialStuffing,
      failure_burst: settings.detectionFailureBurst,
      refresh_token_reuse: settings.detectionRefreshTokenReuse,
    },
    stuffingAccounts: settings.credentialStuffingAccounts,
    burstFailures: settings.failureBurstThreshold,
    lockMs: settings.lockoutMaxSeconds * 1000,
  };
}
