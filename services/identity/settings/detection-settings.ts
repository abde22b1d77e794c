import { choiceSetting, integerSetting, type Setting, textSetting } from '../../../runtime/settings.ts';
import {
  allowedResponses,
  type DetectionRule,
  defaultResponse,
  type Response,
} from '../domain/detection/rules.ts';

/** What suspicious sign-ins bring about. */
export const detectionSettings = {
  detectionNewDevice: responseSetting(
    'DETECTION_NEW_DEVICE',
    'new_device',
    'What a sign-in from a device that the user has not signed in from before brings about.',
  ),
  detectionNewCountry: responseSetting(
    'DETECTION_NEW_COUNTRY',
    'new_country',
    'What a sign-in from a country that the user has not signed in from before brings about. Needs GEOIP_FILE.',
  ),
  detectionImpossibleTravel: responseSetting(
    'DETECTION_IMPOSSIBLE_TRAVEL',
    'impossible_travel',
    'What a sign-in more than 500 km away, and faster there than 1000 km/h, from the last one brings about. Needs a GEOIP_FILE with coordinates.',
  ),
  detectionCredentialStuffing: responseSetting(
    'DETECTION_CREDENTIAL_STUFFING',
    'credential_stuffing',
    'What failed sign-ins to CREDENTIAL_STUFFING_ACCOUNTS accounts from one network bring about; `lock` locks out the network.',
  ),
  detectionFailureBurst: responseSetting(
    'DETECTION_FAILURE_BURST',
    'failure_burst',
    'What FAILURE_BURST_THRESHOLD failed sign-ins of one account bring about.',
  ),
  detectionRefreshTokenReuse: responseSetting(
    'DETECTION_REFRESH_TOKEN_REUSE',
    'refresh_token_reuse',
    'What a refresh token that is used again after its time brings about, beside the end of its session.',
  ),
  credentialStuffingAccounts: integerSetting(
    'CREDENTIAL_STUFFING_ACCOUNTS',
    20,
    { min: 2, max: 32 },
    'Different accounts whose sign-ins failed within 10 minutes from one IPv4 address or IPv6 /64 that make it credential stuffing.',
  ),
  failureBurstThreshold: integerSetting(
    'FAILURE_BURST_THRESHOLD',
    10,
    { min: 3, max: 1000 },
    'Failed sign-ins of one account within 10 minutes that make a burst.',
  ),
  geoipFile: textSetting(
    'GEOIP_FILE',
    undefined,
    'Tells where addresses are used: a MaxMind DB file (.mmdb) of cities or countries with the field names of GeoIP2, such as GeoLite2 or DB-IP. Read anew when it changes. Unset: nothing is known.',
  ),
};

function responseSetting(env: string, rule: DetectionRule, doc: string): Setting<Response> {
  const allowed = allowedResponses(rule);
  return choiceSetting(env, defaultResponse(rule), allowed, `${doc} ${listOf(allowed)}.`);
}

function listOf(responses: readonly Response[]): string {
  return `One of ${responses.map((response) => `\`${response}\``).join(', ')}`;
}
