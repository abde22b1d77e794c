import { CallerKeys } from '../../runtime/caller-auth.ts';
import { commonSettings, requireCallerAuthentication } from '../../runtime/common-settings.ts';
import {
  booleanSetting,
  choiceSetting,
  InvalidSettings,
  integerSetting,
  portSetting,
  readSettings,
  type SettingValues,
  secretSetting,
} from '../../runtime/settings.ts';
import { redisPasswordProblem, redisUrlSetting } from '../../runtime/store-urls.ts';

/** Every setting of the service. */
export const settings = {
  ...commonSettings,
  grpcPort: portSetting('RATELIMIT_GRPC_PORT', 50_052, 'Port of the gRPC API.'),
  httpPort: portSetting('RATELIMIT_HTTP_PORT', 8082, 'Port of Connect/JSON, gRPC-Web and health over HTTP.'),
  callerKeys: secretSetting(
    'RATELIMIT_CALLER_KEYS',
    'Who may call: `name=<sha-256 of its API key in hex>` entries between commas. Unset: everybody, on loopback and outside production only.',
    (text) => CallerKeys.parse(text),
  ),
  accessLog: choiceSetting(
    'RATELIMIT_ACCESS_LOG',
    'errors',
    ['all', 'errors', 'off'],
    'Which calls are logged. `all` writes a line for each check.',
  ),
  redisUrl: redisUrlSetting(
    'The Redis (or Valkey) that replicas share their counts in. Unset: each process counts by itself, in memory.',
  ),
  redisTimeoutMs: integerSetting(
    'REDIS_TIMEOUT_MS',
    50,
    { min: 1, max: 10_000 },
    'How long a check may wait for Redis before the rule decides without it, in milliseconds.',
  ),
  enabled: booleanSetting('RATE_LIMIT_ENABLED', true, 'false allows everything and counts nothing.'),
};

/** Values of {@link settings}. */
export type RateLimitConfig = SettingValues<typeof settings>;

/**
 * Reads the service's settings.
 *
 * @throws InvalidSettings naming every variable that is wrong.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): RateLimitConfig {
  const config = readSettings(settings, env);
  requireCallerAuthentication(config, settings.callerKeys.env, config.callerKeys !== undefined);
  if (config.environment === 'production' && config.redisUrl !== undefined) {
    const problem = redisPasswordProblem(config.redisUrl);
    if (problem !== undefined) throw new InvalidSettings([`${settings.redisUrl.env} ${problem}`]);
  }
  return config;
}
