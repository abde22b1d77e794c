import type { DetectionPolicy } from './detection-policy.ts';
import { type DetectionRule, defaultResponse, type Response } from './rules.ts';

/** The policy as it is unless set otherwise, but for these responses. */
export function testPolicy(responses: Partial<Record<DetectionRule, Response>> = {}): DetectionPolicy {
  return {
    responses: {
      new_device: defaultResponse('new_device'),
      new_country: defaultResponse('new_country'),
      impossible_travel: defaultResponse('impossible_travel'),
      credential_stuffing: defaultResponse('credential_stuffing'),
      failure_burst: defaultResponse('failure_burst'),
      refresh_token_reuse: defaultResponse('refresh_token_reuse'),
      ...responses,
    },
    stuffingAccounts: 20,
    burstFailures: 10,
    lockMs: 3_600_000,
  };
}
