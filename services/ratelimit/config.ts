import { CallerKeys } from '../../runtime/caller-auth.ts';
import { commonSettings, requireCallerAuthentication } from '../../runtime/common-settings.ts';
import { redisSecretProblems, redisSettings, redisTarget } from '../../runtime/redis-settings.ts';
import type { RedisTarget } from '../../runtime/redis-target.ts';
import {
  booleanSetting,
  choiceSetting,
  InvalidSettings,
  integerSetting,
  portSetting,
  readSettings,
  type SettingValues,
  secretSetting,
  textSetting,
} from '../../runtime/settings.ts';
import { type TlsOptions, tlsOptions, tlsSettings } from '../../runtime/tls-settings.ts';
import { tracingSettings } from '../../runtime/tracing/tracing-settings.ts';
import { envoySettings } from './envoy-settings.ts';

/** Every setting of the service. */
export const settings = {
  ...commonSettings,
  ...tlsSettings,
  ...tracingSettings,
  grpcPort: portSetting('RATELIMIT_GRPC_PORT', 50_052, 'Port of the gRPC API.'),
  httpPort: portSetting('RATELIMIT_HTTP_PORT', 8082, 'Port of Connect/JSON, gRPC-Web and health over HTTP.'),
  callerKeys: secretSetting(
    'RATELIMIT_CALLER_KEYS',
    'Who may call: `name=<sha-256 of its API key in hex>` entries between commas, each with its scopes after semicolons (`console=<sha-256>;rules.read;rules.write`; `*` for all). Without scopes: limits.check. Where CALLERS_FILE is unset too, everybody may, on loopback and outside production only.',
    (text) => CallerKeys.parse(text),
  ),
  accessLog: choiceSetting(
    'RATELIMIT_ACCESS_LOG',
    'errors',
    ['all', 'errors', 'off'],
    'Which calls are logged. `all` writes a line for each check.',
  ),
  ...redisSettings(
    'The Redis (or Valkey) that replicas share their counts in. Unset: each process counts by itself, in memory.',
  ),
  redisTimeoutMs: integerSetting(
    'REDIS_TIMEOUT_MS',
    50,
    { min: 1, max: 10_000 },
    'How long a check may wait for Redis before the rule decides without it, in milliseconds.',
  ),
  enabled: booleanSetting('RATE_LIMIT_ENABLED', true, 'false allows everything and counts nothing.'),
  rulesFile: textSetting(
    'RATELIMIT_RULES_FILE',
    undefined,
    'The rules, as a YAML file (deploy/rules.example.yaml), read again when it changes. Unset: the built-in rules.',
  ),
  rulesSnapshot: textSetting(
    'RATELIMIT_RULES_SNAPSHOT',
    undefined,
    'A file that this process keeps the live rules in, for a start while Redis is away or empty. One for each process. Unset: none.',
  ),
  replicas: integerSetting(
    'RATELIMIT_REPLICAS',
    0,
    { min: 0, max: 100_000 },
    'How many processes share the limits: while Redis is away each enforces this part of the limit of rules that FAIL_LOCAL. 0: as many as were there when Redis was last reached.',
  ),
  denialCacheKeys: integerSetting(
    'RATELIMIT_DENIAL_CACHE_KEYS',
    100_000,
    { min: 0, max: 10_000_000 },
    'How many denied keys are answered from memory until they have room, some 200 bytes each. 0: every check asks Redis.',
  ),
  metricsTopKeys: integerSetting(
    'RATELIMIT_METRICS_TOP_KEYS',
    10,
    { min: 0, max: 100 },
    'How many of the most limited keys /metrics names, by endpoint and identifier, chosen anew every five minutes. 0: none.',
  ),
  ...envoySettings,
};

/** Values of {@link settings}, and what follows from them. */
export type RateLimitConfig = SettingValues<typeof settings> & {
  /** Where the counts are; undefined: in memory. */
  readonly redis: RedisTarget | undefined;
  /** How both ports speak TLS; undefined: cleartext. */
  readonly tls: TlsOptions | undefined;
};

/**
 * Reads the service's settings.
 *
 * @throws InvalidSettings naming every variable that is wrong.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): RateLimitConfig {
  const config = readSettings(settings, env);
  requireCallerAuthentication(config, settings.callerKeys.env, config.callerKeys !== undefined);
  if (config.environment === 'production') {
    const problems = redisSecretProblems(config);
    if (problems.length > 0) throw new InvalidSettings(problems);
  }
  return { ...config, redis: redisTarget(config), tls: tlsOptions(config) };
}
