import { expect, it } from 'vitest';
import { readSettings } from '../../../../runtime/settings.ts';
import { detectionSettings } from '../../settings/detection-settings.ts';
import { signInSettings } from '../../settings/sign-in-settings.ts';
import { detectionPolicy } from './detection-policy.ts';
import { testPolicy } from './testing-policy.ts';

const settings = { ...detectionSettings, ...signInSettings };
const policyOf = (env: Record<string, string>) => detectionPolicy(readSettings(settings, env));

it('is what the rules say unless set otherwise; locks last as long as the longest lockout', () => {
  expect(policyOf({})).toEqual(testPolicy());
});

it('takes each rule by its own setting', () => {
  const policy = policyOf({
    DETECTION_NEW_DEVICE: 'off',
    DETECTION_NEW_COUNTRY: 'record',
    DETECTION_IMPOSSIBLE_TRAVEL: 'lock',
    DETECTION_CREDENTIAL_STUFFING: 'record',
    DETECTION_FAILURE_BURST: 'lock',
    DETECTION_REFRESH_TOKEN_REUSE: 'lock',
    CREDENTIAL_STUFFING_ACCOUNTS: '5',
    FAILURE_BURST_THRESHOLD: '7',
    LOCKOUT_MAX_SECONDS: '60',
  });
  expect(policy).toEqual({
    responses: {
      new_device: 'off',
      new_country: 'record',
      impossible_travel: 'lock',
      credential_stuffing: 'record',
      failure_burst: 'lock',
      refresh_token_reuse: 'lock',
    },
    stuffingAccounts: 5,
    burstFailures: 7,
    lockMs: 60_000,
  });
});
