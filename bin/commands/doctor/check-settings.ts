import { redisSecretProblems, redisTarget } from '../../../runtime/redis-settings.ts';
import { InvalidSettings } from '../../../runtime/settings.ts';
import { postgresPasswordProblem } from '../../../runtime/store-urls.ts';
import {
  encryptionKeys,
  type IdentityConfig,
  readConfig as readIdentityConfig,
} from '../../../services/identity/config.ts';
import {
  type RateLimitConfig,
  readConfig as readRateLimitConfig,
} from '../../../services/ratelimit/config.ts';
import { Findings } from './finding.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** Reads both services' settings as they do at their start. */
export function checkSettings(env: Env): {
  readonly findings: Findings;
  /** Undefined where it can't be used. */
  readonly identity: IdentityConfig | undefined;
  readonly ratelimit: RateLimitConfig | undefined;
} {
  const findings = new Findings('settings');
  const identity = read('identity', () => readIdentityConfig(env), findings);
  const ratelimit = read('ratelimit', () => readRateLimitConfig(env), findings);
  if (identity !== undefined) checkIdentity(identity, findings);
  if (ratelimit !== undefined) checkRateLimit(ratelimit, findings);
  return { findings, identity, ratelimit };
}

function read<C>(service: string, readConfig: () => C, findings: Findings): C | undefined {
  try {
    const config = readConfig();
    findings.ok(`${service}'s settings can be read`);
    return config;
  } catch (error) {
    if (!(error instanceof InvalidSettings)) throw error;
    for (const problem of error.problems) {
      findings.add(
        'problem',
        `${service}: ${problem}`,
        `${service} refuses to start with this`,
        'correct it; docs/configuration.md says what each setting may be',
      );
    }
    return undefined;
  }
}

function checkIdentity(config: IdentityConfig, findings: Findings): void {
  if (encryptionKeys(config).isDevelopmentKey) {
    findings.add(
      'warning',
      'identity: IDENTITY_ENCRYPTION_KEY is unset or the development key',
      'everybody knows this key: whoever reads the database can sign tokens',
      'set it to what `openssl rand -base64 32` prints before anything real is stored',
    );
  }
  for (const url of [config.databaseUrl, ...(config.databaseReplicaUrls ?? [])]) {
    const problem = postgresPasswordProblem(url);
    if (problem !== undefined) warnOfSecret(`identity: a URL of PostgreSQL ${problem}`, findings);
  }
  warnOfOpenDoor('identity', config, findings);
}

function checkRateLimit(config: RateLimitConfig, findings: Findings): void {
  for (const problem of redisSecretProblems(config)) warnOfSecret(problem, findings);
  warnOfOpenDoor('ratelimit', config, findings);
  if (redisTarget(config) !== undefined) return;
  findings.add(
    'warning',
    'ratelimit: REDIS_URL is unset',
    'each process counts by itself, and forgets its counts when it ends',
    'set REDIS_URL where more than one process serves, or where limits must outlast a restart',
  );
}

function warnOfSecret(what: string, findings: Findings): void {
  findings.add(
    'warning',
    what,
    'ENVIRONMENT=production refuses this',
    'set a password of your own (openssl rand -hex 32)',
  );
}

function warnOfOpenDoor(
  service: string,
  { callerKeys, callersFile }: { readonly callerKeys: unknown; readonly callersFile: string | undefined },
  findings: Findings,
): void {
  if (callerKeys !== undefined || callersFile !== undefined) return;
  findings.add(
    'warning',
    `${service} has no callers`,
    'everybody who can reach its ports on this machine may do everything',
    `set ${service.toUpperCase()}_CALLER_KEYS or CALLERS_FILE (docs/callers.md)`,
  );
}
