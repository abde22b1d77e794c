import { describe, expect, it } from 'vitest';
import { InvalidSettings, readSettings } from '../../../runtime/settings.ts';
import { detectionSettings } from './detection-settings.ts';

function problems(env: Record<string, string>): readonly string[] {
  try {
    readSettings(detectionSettings, env);
    return [];
  } catch (error) {
    if (error instanceof InvalidSettings) return error.problems;
    throw error;
  }
}

describe('what detection brings about', () => {
  it('is the default of each rule where nothing is set', () => {
    expect(readSettings(detectionSettings, {})).toEqual({
      detectionNewDevice: 'notify',
      detectionNewCountry: 'notify',
      detectionImpossibleTravel: 'step_up',
      detectionCredentialStuffing: 'lock',
      detectionFailureBurst: 'notify',
      detectionRefreshTokenReuse: 'notify',
      credentialStuffingAccounts: 20,
      failureBurstThreshold: 10,
      geoipFile: undefined,
    });
  });

  it('is what is set', () => {
    const values = readSettings(detectionSettings, {
      DETECTION_NEW_DEVICE: 'off',
      DETECTION_NEW_COUNTRY: 'step_up',
      DETECTION_IMPOSSIBLE_TRAVEL: 'lock',
      DETECTION_CREDENTIAL_STUFFING: 'record',
      DETECTION_FAILURE_BURST: 'lock',
      DETECTION_REFRESH_TOKEN_REUSE: 'record',
      CREDENTIAL_STUFFING_ACCOUNTS: '32',
      FAILURE_BURST_THRESHOLD: '3',
      GEOIP_FILE: '/var/lib/geoip/GeoLite2-City.mmdb',
    });
    expect(Object.values(values)).toEqual([
      'off',
      'step_up',
      'lock',
      'record',
      'lock',
      'record',
      32,
      3,
      '/var/lib/geoip/GeoLite2-City.mmdb',
    ]);
  });

  it.each([
    ['DETECTION_NEW_DEVICE', 'warn', 'must be one of off, record, notify, step_up, lock'],
    ['DETECTION_CREDENTIAL_STUFFING', 'notify', 'must be one of off, record, lock'],
    ['DETECTION_FAILURE_BURST', 'step_up', 'must be one of off, record, notify, lock'],
    ['DETECTION_REFRESH_TOKEN_REUSE', 'off', 'must be one of record, notify, lock'],
    ['CREDENTIAL_STUFFING_ACCOUNTS', '33', 'must be a whole number from 2 to 32'],
    ['FAILURE_BURST_THRESHOLD', '2', 'must be a whole number from 3 to 1000'],
  ])('can not be: %s=%s', (env, text, problem) => {
    expect(problems({ [env]: text })).toEqual([`${env} ${problem}, not "${text}"`]);
  });
});
