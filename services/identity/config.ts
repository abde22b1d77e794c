import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { CallerKeys } from '../../runtime/caller-auth.ts';
import { commonSettings, requireCallerAuthentication } from '../../runtime/common-settings.ts';
import { redisSecretProblems, redisSettings, redisTarget } from '../../runtime/redis-settings.ts';
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
import { postgresPasswordProblem, postgresUrlSetting } from '../../runtime/store-urls.ts';
import type { SecretKey } from './domain/secret-box.ts';

/** Every setting of the service. */
export const settings = {
  ...commonSettings,
  grpcPort: portSetting('IDENTITY_GRPC_PORT', 50_051, 'Port of the gRPC API.'),
  httpPort: portSetting(
    'IDENTITY_HTTP_PORT',
    8081,
    'Port of Connect/JSON, gRPC-Web, health and JWKS over HTTP.',
  ),
  callerKeys: secretSetting(
    'IDENTITY_CALLER_KEYS',
    'Who may call: `name=<sha-256 of its API key in hex>` entries between commas. Unset: everybody, on loopback and outside production only.',
    (text) => CallerKeys.parse(text),
  ),
  accessLog: choiceSetting('IDENTITY_ACCESS_LOG', 'all', ['all', 'errors', 'off'], 'Which calls are logged.'),
  databaseUrl: postgresUrlSetting(),
  databasePoolSize: integerSetting(
    'DATABASE_POOL_SIZE',
    20,
    { min: 1, max: 1000 },
    'Connections to PostgreSQL that are kept open.',
  ),
  databaseMaxOverflow: integerSetting(
    'DATABASE_MAX_OVERFLOW',
    10,
    { min: 0, max: 1000 },
    'Further connections that a rush may open.',
  ),
  databaseConnectTimeoutMs: integerSetting(
    'DATABASE_CONNECT_TIMEOUT_MS',
    2000,
    { min: 50, max: 60_000 },
    'How long a call may wait for a connection, in milliseconds.',
  ),
  databaseStatementTimeoutMs: integerSetting(
    'DATABASE_STATEMENT_TIMEOUT_MS',
    5000,
    { min: 50, max: 600_000 },
    'How long a statement may take, in milliseconds.',
  ),
  ...redisSettings(
    'The Redis (or Valkey) of the deployment. Identity watches it for its health answers; nothing it answers depends on it.',
  ),
  encryptionKey: secretSetting(
    'IDENTITY_ENCRYPTION_KEY',
    'The key that secrets in the database are encrypted with: 32 random bytes in base64 (`openssl rand -base64 32`). Required in production; losing it loses the signing keys.',
    parseEncryptionKey,
  ),
  olderEncryptionKeys: secretSetting(
    'IDENTITY_OLDER_ENCRYPTION_KEYS',
    'Former values of IDENTITY_ENCRYPTION_KEY between commas, which still decrypt what they encrypted.',
    (text) => text.split(',').map((part) => parseEncryptionKey(part.trim())),
  ),
  tokenIssuer: textSetting(
    'TOKEN_ISSUER',
    'http://127.0.0.1:8081',
    'The issuer (`iss`) that access tokens name: the URL under which callers know identity.',
    issuerProblem,
  ),
  tokenAudience: textSetting(
    'TOKEN_AUDIENCE',
    'optix',
    'The audience (`aud`) that access tokens name: the backends that take them.',
  ),
  accessTokenLifetimeSeconds: integerSetting(
    'ACCESS_TOKEN_LIFETIME_SECONDS',
    900,
    { min: 30, max: 86_400 },
    'How long an access token holds, in seconds.',
  ),
  sessionLifetimeSeconds: integerSetting(
    'SESSION_LIFETIME_SECONDS',
    2_592_000,
    { min: 60, max: 31_536_000 },
    'How long a session and its refresh token hold at most, in seconds.',
  ),
  passwordMinLength: integerSetting(
    'PASSWORD_MIN_LENGTH',
    8,
    { min: 8, max: 64 },
    'The least number of characters of a new password. NIST asks for 15 where a password is all there is.',
  ),
  hashingConcurrency: integerSetting(
    'HASHING_CONCURRENCY',
    0,
    { min: 0, max: 64 },
    'Passwords hashed at the same time; 0 means one a core, at most 3.',
  ),
  hashingQueue: integerSetting(
    'HASHING_QUEUE',
    64,
    { min: 0, max: 10_000 },
    'Sign-ins that may wait to be hashed; past it they are refused with a time to retry after.',
  ),
  rateLimitEnabled: booleanSetting(
    'RATE_LIMIT_ENABLED',
    true,
    'false asks the rate limiter nothing and limits nothing.',
  ),
  rateLimitAddress: textSetting(
    'RATELIMIT_ADDRESS',
    '127.0.0.1:50052',
    'Where the rate limiter is: `host:port` of its gRPC API (`[::1]:50052` for IPv6).',
    grpcTargetProblem,
  ),
  rateLimitApiKey: secretSetting(
    'RATELIMIT_API_KEY',
    'The API key that identity calls the rate limiter with.',
    parseApiKey,
  ),
  rateLimitTimeoutMs: integerSetting(
    'RATELIMIT_TIMEOUT_MS',
    250,
    { min: 1, max: 10_000 },
    'How long to wait for the rate limiter, in milliseconds.',
  ),
  rateLimitOnUnavailable: choiceSetting(
    'RATELIMIT_ON_UNAVAILABLE',
    'deny',
    ['deny', 'allow'],
    'What becomes of sign-ins while the rate limiter can not be asked: `deny` refuses them with UNAVAILABLE, `allow` serves them unlimited.',
  ),
};

/** Values of {@link settings}, with what is required made certain. */
export type IdentityConfig = SettingValues<typeof settings> & { readonly databaseUrl: string };

/** Encrypts what a developer's machine holds. Known to everybody: production refuses to start with it. */
const DEVELOPMENT_KEY = keyOf(createHash('sha256').update('optix development encryption key').digest());

/**
 * Reads the service's settings.
 *
 * @throws InvalidSettings naming every variable that is wrong.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): IdentityConfig {
  const config = readSettings(settings, env);
  const { databaseUrl } = config;
  if (databaseUrl === undefined) throw new InvalidSettings(['DATABASE_URL must be set']);
  redisTarget(config);
  requireCallerAuthentication(config, settings.callerKeys.env, config.callerKeys !== undefined);
  if (config.environment === 'production') refuseDefaultSecrets({ ...config, databaseUrl });
  return { ...config, databaseUrl };
}

/** The keys that secrets in the database are sealed with: the one that seals, and older ones. */
export function encryptionKeys(config: IdentityConfig): {
  readonly primary: SecretKey;
  readonly older: readonly SecretKey[];
  readonly isDevelopmentKey: boolean;
} {
  const primary = config.encryptionKey ?? DEVELOPMENT_KEY;
  const older = (config.olderEncryptionKeys ?? []).filter(({ id }) => id !== primary.id);
  return { primary, older, isDevelopmentKey: primary.id === DEVELOPMENT_KEY.id };
}

function refuseDefaultSecrets(config: IdentityConfig): void {
  const { databaseUrl, encryptionKey } = config;
  const problems: string[] = [];
  if (encryptionKey === undefined) {
    problems.push('IDENTITY_ENCRYPTION_KEY must be set when ENVIRONMENT=production');
  } else if (encryptionKey.id === DEVELOPMENT_KEY.id) {
    problems.push('IDENTITY_ENCRYPTION_KEY is the development key, which everybody knows');
  }
  const ofDatabase = postgresPasswordProblem(databaseUrl);
  if (ofDatabase !== undefined) problems.push(`${settings.databaseUrl.env} ${ofDatabase}`);
  problems.push(...redisSecretProblems(config));
  if (problems.length > 0) throw new InvalidSettings(problems);
}

/** An issuer is a URL without query and fragment (RFC 8414, section 2); http too, for development. */
function issuerProblem(text: string): string | undefined {
  return /^https?:\/\/[^\s?#]+$/i.test(text) && URL.canParse(text)
    ? undefined
    : 'must be a URL that starts with https:// or http://, without a query or a fragment';
}

/** Targets as in https://github.com/grpc/grpc/blob/master/doc/naming.md, as far as they are of use here. */
function grpcTargetProblem(text: string): string | undefined {
  if (/^(dns|unix):\S+$/.test(text)) return undefined;
  const [, address, host, port] = /^(?:\[([\da-fA-F:.]+)\]|([A-Za-z\d._-]+)):(\d{1,5})$/.exec(text) ?? [];
  const isHost = address === undefined ? host !== undefined : isIPv6(address);
  if (isHost && Number(port) >= 1 && Number(port) <= 65_535) return undefined;
  return 'must be host:port, or a gRPC target that starts with dns: or unix:';
}

/** The key becomes a header's value; the gRPC library would quote one it can't send in its error. */
function parseApiKey(text: string): string {
  if (!/^[\x21-\x7e]+$/.test(text)) throw new Error('must be printable ASCII characters without spaces');
  return text;
}

function parseEncryptionKey(text: string): SecretKey {
  const key = Buffer.from(text, 'base64');
  if (key.length !== 32 || key.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) {
    throw new Error('must be 32 bytes in base64, as `openssl rand -base64 32` prints them');
  }
  return keyOf(key);
}

/** A key is known by a piece of its digest: nobody has to think of names, and a name can't be given to two keys. */
function keyOf(key: Buffer): SecretKey {
  const id = createHash('sha256').update('optix encryption key id\0').update(key).digest('hex').slice(0, 16);
  return { id, key };
}
