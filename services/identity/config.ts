import { createHash } from 'node:crypto';
import { CallerKeys } from '../../runtime/caller-auth.ts';
import { commonSettings, requireCallerAuthentication } from '../../runtime/common-settings.ts';
import { redisSecretProblems, redisSettings, redisTarget } from '../../runtime/redis-settings.ts';
import {
  choiceSetting,
  InvalidSettings,
  portSetting,
  readSettings,
  type SettingValues,
  secretSetting,
} from '../../runtime/settings.ts';
import { postgresPasswordProblem } from '../../runtime/store-urls.ts';
import { type TlsOptions, tlsOptions, tlsSettings } from '../../runtime/tls-settings.ts';
import { tracingSettings } from '../../runtime/tracing/tracing-settings.ts';
import { originProblem, parseOrigins, type RelyingParty } from './domain/passkeys/relying-party.ts';
import type { SecretKey } from './domain/secret-box.ts';
import { limiterTls, limiterTlsSettings } from './limiter-tls-settings.ts';
import { accessSettings } from './settings/access-settings.ts';
import { databaseSettings } from './settings/database-settings.ts';
import { detectionSettings } from './settings/detection-settings.ts';
import { limiterSettings } from './settings/limiter-settings.ts';
import { mailSettings } from './settings/mail-settings.ts';
import { maintenanceSettings } from './settings/maintenance-settings.ts';
import { secondFactorSettings } from './settings/second-factor-settings.ts';
import { signInSettings } from './settings/sign-in-settings.ts';
import { tokenSettings } from './settings/token-settings.ts';

/** Every setting of the service. */
export const settings = {
  ...commonSettings,
  ...tlsSettings,
  ...tracingSettings,
  grpcPort: portSetting('IDENTITY_GRPC_PORT', 50_051, 'Port of the gRPC API.'),
  httpPort: portSetting(
    'IDENTITY_HTTP_PORT',
    8081,
    'Port of Connect/JSON, gRPC-Web, health and JWKS over HTTP.',
  ),
  callerKeys: secretSetting(
    'IDENTITY_CALLER_KEYS',
    'Who may call: `name=<sha-256 of its API key in hex>` entries between commas, each with its scopes after semicolons (`console=<sha-256>;users.read;users.admin`; `*` for all). Without scopes: what a backend needs, and no administration. Where CALLERS_FILE is unset too, everybody may, on loopback and outside production only.',
    (text) => CallerKeys.parse(text),
  ),
  accessLog: choiceSetting('IDENTITY_ACCESS_LOG', 'all', ['all', 'errors', 'off'], 'Which calls are logged.'),
  ...databaseSettings,
  ...redisSettings(
    'The Redis (or Valkey) of the deployment. With it tokens are looked into without asking PostgreSQL each time; what is answered never depends on it. Unset: PostgreSQL is asked each time.',
  ),
  encryptionKey: secretSetting(
    'IDENTITY_ENCRYPTION_KEY',
    'The key that secrets in the database are encrypted with: 32 random bytes in base64 (`openssl rand -base64 32`). Required in production; losing it loses the signing keys.',
    parseEncryptionKey,
  ),
  olderEncryptionKeys: secretSetting(
    'IDENTITY_OLDER_ENCRYPTION_KEYS',
    'Former values of IDENTITY_ENCRYPTION_KEY, and the next one before it takes over, between commas: they decrypt what they encrypted.',
    (text) => text.split(',').map((part) => parseEncryptionKey(part.trim())),
  ),
  ...tokenSettings,
  ...signInSettings,
  ...secondFactorSettings,
  ...detectionSettings,
  ...maintenanceSettings,
  ...mailSettings,
  ...limiterSettings,
  ...limiterTlsSettings,
  ...accessSettings,
};

/** Values of {@link settings}, with what is required made certain. */
export type IdentityConfig = SettingValues<typeof settings> & {
  readonly databaseUrl: string;
  /** How both ports speak TLS; undefined: cleartext. */
  readonly tls: TlsOptions | undefined;
};

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
  const problems = crossProblems(config);
  if (problems.length > 0) throw new InvalidSettings(problems);
  redisTarget(config);
  limiterTls(config);
  requireCallerAuthentication(config, settings.callerKeys.env, config.callerKeys !== undefined);
  if (config.environment === 'production') refuseDefaultSecrets(config, databaseUrl);
  return { ...config, databaseUrl, tls: tlsOptions(config) };
}

/** The keys that secrets in the database are sealed with: the one that seals, and older ones. */
export function encryptionKeys(config: Pick<IdentityConfig, 'encryptionKey' | 'olderEncryptionKeys'>): {
  readonly primary: SecretKey;
  readonly older: readonly SecretKey[];
  readonly isDevelopmentKey: boolean;
} {
  const primary = config.encryptionKey ?? DEVELOPMENT_KEY;
  const older = (config.olderEncryptionKeys ?? []).filter(({ id }) => id !== primary.id);
  return { primary, older, isDevelopmentKey: primary.id === DEVELOPMENT_KEY.id };
}

/** Whom passkeys are made for; null where they are off: in production without WEBAUTHN_RP_ID. */
export function relyingPartyOf(config: SettingValues<typeof settings>): RelyingParty | null {
  const { environment, webauthnRpId, webauthnRpName: name, webauthnOrigins, httpPort } = config;
  if (webauthnRpId === undefined && environment === 'production') return null;
  const id = webauthnRpId ?? 'localhost';
  const ownPage = id === 'localhost' ? `http://localhost:${httpPort}` : `https://${id}`;
  return { id, name, origins: webauthnOrigins === undefined ? [ownPage] : parseOrigins(webauthnOrigins) };
}

/** Settings that are good by themselves and not together. */
function crossProblems(config: SettingValues<typeof settings>): string[] {
  const problems: string[] = [];
  if (config.sessionIdleTimeoutSeconds <= config.accessTokenLifetimeSeconds) {
    problems.push(
      `${settings.sessionIdleTimeoutSeconds.env} must be longer than ${settings.accessTokenLifetimeSeconds.env}`,
    );
  }
  const relyingParty = relyingPartyOf(config);
  if (relyingParty === null && config.webauthnOrigins !== undefined) {
    problems.push(`${settings.webauthnOrigins.env} is of no use without ${settings.webauthnRpId.env}`);
  }
  const origin = relyingParty && originProblem(relyingParty.id, relyingParty.origins);
  if (origin) problems.push(`${settings.webauthnOrigins.env} ${origin}`);
  if (config.lockoutMaxSeconds < config.lockoutBaseSeconds) {
    problems.push(`${settings.lockoutMaxSeconds.env} must be at least ${settings.lockoutBaseSeconds.env}`);
  }
  return problems;
}

function refuseDefaultSecrets(config: SettingValues<typeof settings>, databaseUrl: string): void {
  const { encryptionKey } = config;
  const problems: string[] = [];
  if (encryptionKey === undefined) {
    problems.push('IDENTITY_ENCRYPTION_KEY must be set when ENVIRONMENT=production');
  } else if (encryptionKey.id === DEVELOPMENT_KEY.id) {
    problems.push('IDENTITY_ENCRYPTION_KEY is the development key, which everybody knows');
  }
  const ofDatabase = postgresPasswordProblem(databaseUrl);
  if (ofDatabase !== undefined) problems.push(`${settings.databaseUrl.env} ${ofDatabase}`);
  for (const url of config.databaseReplicaUrls ?? []) {
    const problem = postgresPasswordProblem(url);
    if (problem !== undefined) problems.push(`${settings.databaseReplicaUrls.env} ${problem}`);
  }
  problems.push(...redisSecretProblems(config));
  if (problems.length > 0) throw new InvalidSettings(problems);
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
