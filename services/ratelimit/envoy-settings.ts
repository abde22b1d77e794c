import { booleanSetting, choiceSetting, listSetting } from '../../runtime/settings.ts';
import { ENVOY_HEADERS } from './rpc/envoy/envoy-headers.ts';

/** How Envoy's rate-limit API answers. */
export const envoySettings = {
  envoyConfig: listSetting(
    'RATELIMIT_ENVOY_CONFIG',
    [],
    'The limits of Envoy’s rate-limit API: YAML files as its reference implementation reads them, or directories of them, between commas, read again when they change. Unset: the API refuses all calls.',
  ),
  envoyMergeDomains: booleanSetting(
    'RATELIMIT_ENVOY_MERGE_DOMAINS',
    false,
    'true puts together what several of these files say of one domain; false refuses them.',
  ),
  envoyHeaders: choiceSetting(
    'RATELIMIT_ENVOY_HEADERS',
    'off',
    ENVOY_HEADERS,
    'Headers that Envoy is to add to its answers: those of its reference implementation (RateLimit-Limit, -Remaining, -Reset), or all that CheckLimit has over HTTP.',
  ),
  envoyOnStoreFailure: choiceSetting(
    'RATELIMIT_ENVOY_ON_STORE_FAILURE',
    'FAIL_LOCAL',
    ['FAIL_LOCAL', 'FAIL_OPEN', 'FAIL_CLOSED'],
    'What happens to limits of Envoy’s API while Redis is away: each process enforces its share, all passes, or nothing does.',
  ),
};
