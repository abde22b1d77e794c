import type { CallerKeyStore } from '../../runtime/callers/caller-key-store.ts';
import type { Logger } from '../../runtime/logger.ts';
import { Metrics } from '../../runtime/metrics/metrics.ts';
import { RedisMetrics } from '../../runtime/metrics/redis-metrics.ts';
import { MisconfigurationLog } from '../../runtime/misconfiguration-log.ts';
import { redisTarget } from '../../runtime/redis-settings.ts';
import type { RedisTarget } from '../../runtime/redis-target.ts';
import { StoreMonitor } from '../../runtime/store-monitor.ts';
import { plaintextDatabaseWarning, plaintextRedisWarning } from '../../runtime/store-urls.ts';
import { openAccessRules } from './access/open-access-rules.ts';
import { encryptionKeys, type IdentityConfig, relyingPartyOf } from './config.ts';
import type { AccessDeps } from './domain/access/decide-access.ts';
import { AccessTokens } from './domain/access-token.ts';
import type { AuditLogDeps } from './domain/audit/audit-log-deps.ts';
import type { AuthenticateDeps } from './domain/authenticate.ts';
import type { ChallengeDeps } from './domain/challenges/challenge-deps.ts';
import type { SessionProofDeps } from './domain/challenges/session-proof.ts';
import type { CredentialDeps } from './domain/credentials/credential-deps.ts';
import { lockoutPolicies } from './domain/credentials/lockout-policy.ts';
import type { VerificationDeps } from './domain/credentials/verification-deps.ts';
import type { DeviceDeps } from './domain/devices/device-deps.ts';
import { TrustedDevicePolicy } from './domain/devices/trusted-device-policy.ts';
import type { IntrospectDeps } from './domain/introspect.ts';
import { VerifiedTokens } from './domain/introspect-tokens.ts';
import { KeyRotation } from './domain/key-rotation.ts';
import { KeyRotationTimer } from './domain/key-rotation-timer.ts';
import type { MaintenanceDeps } from './domain/maintenance/maintenance-deps.ts';
import type { UserReads } from './domain/reads.ts';
import type { RefreshDeps } from './domain/refresh.ts';
import type { RegisterDeps } from './domain/register.ts';
import type { RevocationWatch } from './domain/revocation-watch.ts';
import type { RevokeDeps } from './domain/revoke-session.ts';
import type { PasskeyDeps } from './domain/second-factors/passkey-deps.ts';
import type { SecondFactorDeps } from './domain/second-factors/second-factor-deps.ts';
import { SecretBox } from './domain/secret-box.ts';
import { SessionActivity } from './domain/session-activity.ts';
import { SessionPolicy } from './domain/session-policy.ts';
import { SigningKeys } from './domain/signing-keys.ts';
import type { Role } from './domain/user.ts';
import type { CreateUserDeps } from './domain/users/create-user.ts';
import { PageTokens } from './domain/users/page-tokens.ts';
import type { UserDirectory } from './domain/users/user-directory.ts';
import type { GatewayLimiter } from './limiter-client.ts';
import { countIdentityOutcomes, type IdentityOutcomes } from './metrics/identity-outcomes.ts';
import { startAudit } from './parts/audit.ts';
import { openDatabase } from './parts/database.ts';
import { openDetection } from './parts/detection.ts';
import { openLimiter } from './parts/limiter.ts';
import { mailOptions, startMailDelivery, tellOfMails } from './parts/mail.ts';
import { startMaintenance } from './parts/maintenance.ts';
import { openPasswordPolicy, passwordHasher, startLearningCosts } from './parts/passwords.ts';
import { openRevocations } from './parts/revocations.ts';
import { type RequestKeys, requestKeysFrom } from './rpc/request-key.ts';
import { ActiveSessions } from './storage/active-sessions.ts';
import { PostgresCallerKeyStore } from './storage/caller-key-store.ts';
import { ChallengeRepository } from './storage/challenge-repository.ts';
import { CredentialRepository } from './storage/credential-repository.ts';
import type { SlowQueryLog } from './storage/observation/slow-query-log.ts';
import { OneTimeTokenRepository } from './storage/one-time-token-repository.ts';
import { OrmUnitOfWork } from './storage/orm-unit-of-work.ts';
import { OutgoingMailRepository } from './storage/outgoing-mail-repository.ts';
import { PasskeyRepository } from './storage/passkey-repository.ts';
import { RedisProbe } from './storage/redis-probe.ts';
import { RefreshTokenFamilyRepository } from './storage/refresh-token-family-repository.ts';
import { SecondFactorRepository } from './storage/second-factor-repository.ts';
import { SecretRekeying } from './storage/secret-rekeying.ts';
import { SessionRepository } from './storage/session-repository.ts';
import { SessionStates } from './storage/session-states.ts';
import { SignInThrottleRepository } from './storage/sign-in-throttle-repository.ts';
import { SigningKeyRepository } from './storage/signing-key-repository.ts';
import { TrustedDeviceRepository } from './storage/trusted-device-repository.ts';
import { UserRepository } from './storage/user-repository.ts';
import { GatheredUserReads } from './storage/users/gathered-user-reads.ts';
import { StoredUserDirectory } from './storage/users/user-directory.ts';

/** Revocations outlast the access tokens by this: their lifetime may have been a longer one when they were issued. */
const REVOCATION_SLACK_MS = 3_600_000;
/** How long verifiers may go without asking for new keys: the JWKS's `max-age`. */
export const JWKS_MAX_AGE_SECONDS = 300;
/** Beyond what is promised, for clocks and requests on their way. */
const KEY_SLACK_MS = 60_000;

/** What the handlers work with. Disposing it closes the stores. */
export interface IdentityContext extends AsyncDisposable {
  readonly registration: RegisterDeps;
  readonly authentication: AuthenticateDeps;
  readonly challenges: ChallengeDeps;
  readonly secondFactors: SecondFactorDeps;
  readonly passkeys: PasskeyDeps;
  readonly devices: DeviceDeps;
  readonly auditLog: AuditLogDeps;
  readonly maintenance: MaintenanceDeps;
  readonly credentials: CredentialDeps;
  readonly verification: VerificationDeps;
  readonly users: UserReads;
  readonly directory: UserDirectory;
  readonly pageTokens: PageTokens;
  readonly userAdmin: CreateUserDeps;
  readonly introspection: IntrospectDeps;
  readonly access: AccessDeps;
  /** What requests that gateways ask about are counted by. */
  readonly limiter: GatewayLimiter;
  readonly misconfigurations: MisconfigurationLog;
  readonly revocation: RevokeDeps;
  readonly revocationWatch: RevocationWatch;
  readonly refresh: RefreshDeps;
  readonly signingKeys: SigningKeys;
  readonly keyRotation: KeyRotation;
  readonly requestKeys: RequestKeys;
  /** Where the keys of callers are kept. */
  readonly callerKeyStore: CallerKeyStore;
  readonly metrics: Metrics;
  /** Where it is counted what became of sign-ins, registrations and refreshes. */
  readonly outcomes: IdentityOutcomes;
  /** Which statements are logged: may change at any time. */
  readonly slowQueries: SlowQueryLog;
  /** Stores to watch. */
  readonly monitors: readonly StoreMonitor[];
  /** Whether calls can be answered: while the database can. */
  readonly ready: () => boolean;
}

/**
 * Builds everything the handlers need. Opens no connection that the start would have to wait for.
 *
 * @throws InvalidSettings where a file that a setting names can't be used
 */
export async function createContext(config: IdentityConfig, logger: Logger): Promise<IdentityContext> {
  await using resources = new AsyncDisposableStack();
  const keys = encryptionKeys(config);
  warn(config, keys.isDevelopmentKey, logger);
  const now = () => new Date();
  const redis = redisTarget(config);
  const passwordPolicy = await openPasswordPolicy(config, resources);
  const metrics = new Metrics();
  const hasher = passwordHasher(config, metrics);
  const accessRules = await openAccessRules(config.accessRulesFile, resources, logger);
  const limiter = openLimiter(config, metrics, resources, logger);
  const database = await openDatabase(config, metrics, resources, logger);
  const { em } = database.orm;
  const revocations = openRevocations(em, redis, metrics, resources, logger);
  const { barrier } = revocations;

  const secretBox = SecretBox.fromKeys(keys.primary, keys.older);
  const mail = mailOptions(config);
  const unitOfWork = new OrmUnitOfWork({
    em,
    secretBox,
    mailEnabled: mail.enabled,
    revocationLifetimeMs: config.accessTokenLifetimeSeconds * 1000 + REVOCATION_SLACK_MS,
    onRevoked: async (revoked) => await barrier.enforce(revoked),
    onMail: () => delivery?.wake(),
    onEvents: () => audit.sealer.wake(),
  });
  const audit = startAudit(em, resources, logger);
  tellOfMails(em, metrics, logger);
  const delivery = startMailDelivery(config, { em, secretBox, unitOfWork }, resources, logger);

  const signingKeys = new SigningKeys({
    store: new SigningKeyRepository(em),
    secretBox,
    algorithm: config.tokenSigningAlgorithm,
    onUnreadable: (kid, error) => logger.error({ kid, err: error }, 'a signing key can not be read'),
  });
  const keyRotation = new KeyRotation({
    keys: signingKeys,
    store: new SigningKeyRepository(em),
    unitOfWork,
    barrier,
    secretBox,
    schedule: {
      algorithm: config.tokenSigningAlgorithm,
      rotationMs: config.signingKeyRotationSeconds * 1000,
      propagationMs: JWKS_MAX_AGE_SECONDS * 1000 + KEY_SLACK_MS,
      retentionMs: config.accessTokenLifetimeSeconds * 1000 + REVOCATION_SLACK_MS,
    },
    now,
  });
  resources.use(
    new KeyRotationTimer({
      rotation: keyRotation,
      onError: (error) => logger.error({ err: error }, 'the signing keys could not be looked after'),
    }),
  );
  const accessTokens = new AccessTokens({
    keys: signingKeys,
    issuer: config.tokenIssuer,
    audience: config.tokenAudience,
    lifetimeSeconds: config.accessTokenLifetimeSeconds,
  });

  const users = new UserRepository(em);
  const sessions = new SessionRepository(em);
  const states = new SessionStates(em);
  const credentials = new CredentialRepository(em);
  const detection = await openDetection(config, em, resources, logger);
  startLearningCosts(hasher, credentials, resources, logger);
  const networkLocks = new SignInThrottleRepository(em);
  const outgoingMails = new OutgoingMailRepository(em, secretBox, mail.enabled);
  const oneTimeTokens = new OneTimeTokenRepository(em);
  const secretRekeying = new SecretRekeying(em, secretBox, (secret, error) =>
    logger.error({ ...secret, err: error }, 'a secret can not be read'),
  );
  const maintenance = startMaintenance(
    config,
    {
      em,
      sealing: audit.log.sealing,
      metrics,
      shared: { unitOfWork, now, oneTimeTokens, networkLocks, outgoingMails, secretRekeying },
    },
    resources,
    logger,
  );
  const sessionPolicy = new SessionPolicy({
    sessionsPerUser: config.sessionsPerUser,
    idleTimeoutMs: config.sessionIdleTimeoutSeconds * 1000,
  });
  const sessionActivity = resources.use(
    new SessionActivity({
      write: async (uses) => await sessions.recordActivity(uses),
      onFailure: (error) => logger.warn({ err: error }, 'the use of sessions could not be written back'),
    }),
  );
  const verifiedTokens = new VerifiedTokens({
    verify: async (token) => await accessTokens.verify(token),
  });
  revocations.start((kid) => {
    signingKeys.forget(kid);
    verifiedTokens.clear();
  });
  const liveStates = new ActiveSessions({
    store: states,
    cache: revocations.cache,
    verifiedTokens,
    sessionPolicy,
    now,
  });

  const monitors = [database.monitor];
  if (redis !== undefined) {
    monitors.push(resources.use(redisMonitor(redis, resources, logger)));
    resources.use(new RedisMetrics({ metrics, target: redis, logger }));
  }
  const lockout = lockoutPolicies({
    accountThreshold: config.accountLockoutThreshold,
    networkThreshold: config.networkLockoutThreshold,
    baseSeconds: config.lockoutBaseSeconds,
    maxSeconds: config.lockoutMaxSeconds,
  });
  const common = { limiter, hasher, passwordPolicy, unitOfWork, users, credentials, now };
  const guarded = { ...common, networkLocks, lockout, ...detection };
  const introspection = { verifiedTokens, liveStates, sessionPolicy, sessionActivity, now };
  const proof: SessionProofDeps = {
    introspection,
    sessions,
    credentialReads: credentials,
    stepUpMaxAgeMs: config.stepUpMaxAgeSeconds * 1000,
    now,
  };
  const secondFactors = new SecondFactorRepository(em);
  const signIn = {
    ...guarded,
    accessTokens,
    sessionPolicy,
    sessionLifetimeMs: config.sessionLifetimeSeconds * 1000,
    secondFactors,
    trustedDevicePolicy: new TrustedDevicePolicy({
      lifetimeMs: config.trustedDeviceLifetimeSeconds * 1000,
      roles: config.trustedDeviceRoles as readonly Role[],
    }),
    relyingParty: relyingPartyOf(config),
    challengeLifetimeMs: config.challengeLifetimeSeconds * 1000,
  };
  const owned = resources.move();
  return {
    registration: { ...common, mail },
    authentication: signIn,
    challenges: {
      ...signIn,
      ...proof,
      challengeReads: new ChallengeRepository(em),
      passkeyReads: new PasskeyRepository(em),
      stateCache: liveStates,
    },
    secondFactors: { ...signIn, ...proof, totpIssuer: config.totpIssuer },
    passkeys: { ...signIn, ...proof },
    devices: { ...signIn, ...proof, trustedDevices: new TrustedDeviceRepository(em) },
    auditLog: { ...audit.log, unitOfWork, sessions, now },
    maintenance,
    credentials: { ...guarded, mail, oneTimeTokens },
    verification: { ...common, mail },
    users: new GatheredUserReads(users),
    directory: new StoredUserDirectory(() => database.reads.reader()),
    pageTokens: new PageTokens([keys.primary.key, ...keys.older.map(({ key }) => key)]),
    userAdmin: common,
    introspection,
    access: { introspection, accessRules },
    limiter,
    misconfigurations: new MisconfigurationLog(logger, 'Authorization: Check'),
    revocation: { unitOfWork, sessions, states, verifiedTokens, sessionPolicy, barrier, now },
    revocationWatch: revocations.watch,
    refresh: {
      limiter,
      families: new RefreshTokenFamilyRepository(em),
      sessionPolicy,
      sessionActivity,
      unitOfWork,
      accessTokens,
      detectionPolicy: detection.detectionPolicy,
      graceMs: config.refreshGraceSeconds * 1000,
      now,
    },
    signingKeys,
    keyRotation,
    requestKeys: requestKeysFrom(keys.primary.key),
    callerKeyStore: new PostgresCallerKeyStore(em),
    metrics,
    outcomes: countIdentityOutcomes(metrics),
    slowQueries: database.slowQueries,
    monitors,
    ready: () => database.monitor.status.up,
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

function warn(config: IdentityConfig, isDevelopmentKey: boolean, logger: Logger): void {
  if (isDevelopmentKey) {
    logger.warn('IDENTITY_ENCRYPTION_KEY is not set: using the development key, which everybody knows');
  }
  if (config.environment !== 'production') return;
  const { databaseUrl, redisUrl } = config;
  const warnings = [plaintextDatabaseWarning(databaseUrl), redisUrl && plaintextRedisWarning(redisUrl)];
  for (const warning of warnings) if (warning) logger.warn(warning);
}

function redisMonitor(target: RedisTarget, resources: AsyncDisposableStack, logger: Logger): StoreMonitor {
  const probe = resources.use(new RedisProbe(target));
  return new StoreMonitor({
    name: 'redis',
    probe: async () => await probe.ping(),
    onChange: ({ up, error }) => {
      if (up) logger.info('Redis is there');
      else logger.warn({ reason: error }, 'Redis is away: the database is asked of each token');
    },
  });
}
