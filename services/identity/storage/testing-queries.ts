import { createHash, randomBytes } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { lockoutPolicies } from '../domain/credentials/lockout-policy.ts';
import { SecretBox } from '../domain/secret-box.ts';
import type { UserFilter } from '../domain/users/user-directory.ts';
import type { Uuid } from '../domain/uuid.ts';
import { AnsweredRequestRepository } from './answered-request-repository.ts';
import { PostgresCallerKeyStore } from './caller-key-store.ts';
import { CredentialRepository } from './credential-repository.ts';
import { readMailBacklog } from './mail-backlog.ts';
import { OneTimeTokenRepository } from './one-time-token-repository.ts';
import { OutgoingMailRepository } from './outgoing-mail-repository.ts';
import { RefreshTokenFamilyRepository } from './refresh-token-family-repository.ts';
import { RevocationLog } from './revocation-log.ts';
import { SecurityEventRepository } from './security-event-repository.ts';
import { SessionRepository } from './session-repository.ts';
import { SessionStates } from './session-states.ts';
import { StoredSignInHistory } from './sign-in-history.ts';
import { SignInThrottleRepository } from './sign-in-throttle-repository.ts';
import { SigningKeyRepository } from './signing-key-repository.ts';
import { query } from './sql.ts';
import { auditCalls } from './testing-audit-queries.ts';
import { factorCalls } from './testing-factor-queries.ts';
import { TrustedDeviceRepository } from './trusted-device-repository.ts';
import { UserRepository } from './user-repository.ts';
import { StoredUserDirectory } from './users/user-directory.ts';
import { eraseUser } from './users/user-erasure.ts';

/** Ids that belong together. */
export interface KnownRow {
  readonly user: Uuid;
  readonly session: Uuid;
  readonly family: Uuid;
  readonly event: Uuid;
  readonly device: Uuid;
  readonly mail: Uuid;
}

const at = new Date();
const before = new Date(at.getTime() - 40 * 24 * 3_600_000);
const hash = createHash('sha256').update('10000').digest();
/** The address of the known row's user. */
export const EMAIL = 'user10000@example.com';
const lockout = lockoutPolicies({
  accountThreshold: 5,
  networkThreshold: 100,
  baseSeconds: 60,
  maxSeconds: 3600,
});
const key = { caller: 'caller', rpc: 'rpc', requestId: '10000', mac: hash };
const secretBox = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });

const everybody: UserFilter = {
  statuses: [],
  showDeleted: false,
  roles: [],
  emailVerified: null,
  mfaEnabled: null,
  createdFrom: null,
  createdBefore: null,
  prefix: null,
};
const list = (em: EntityManager, change: Partial<UserFilter>, order: 'create_time' | 'email' | 'last_name') =>
  new StoredUserDirectory(async () => em).list(
    { filter: { ...everybody, ...change }, order, descending: false },
    null,
    50,
  );

/** Calls that together send the statements of the repositories. A new query gets a line here. */
export const repositoryCalls = (
  known: KnownRow,
): Record<string, (em: EntityManager) => Promise<unknown>> => ({
  'users.findById': (em) => new UserRepository(em).findById(known.user),
  'users.findByEmail': (em) => new UserRepository(em).findByEmail(EMAIL),
  'users.findMany': (em) => new UserRepository(em).findMany([known.user, known.session], false),
  'users.hold': (em) => new UserRepository(em).hold(known.user),
  'users.hasOtherAdmin': (em) => new UserRepository(em).hasOtherAdmin(known.user),
  'users.setStatus': (em) =>
    new UserRepository(em).setStatus({ id: known.user, version: 1 }, 'suspended', at),
  'users.setRoles': (em) => new UserRepository(em).setRoles({ id: known.user, version: 1 }, ['user'], at),
  'users.softDelete': (em) => new UserRepository(em).softDelete({ id: known.user, version: 1 }, at),
  'users.erase': (em) =>
    query(em, `update user_service.users set status = 'deleted', deleted_at = now() where id = ?`, [
      known.user,
    ]).then(() => eraseUser(em, { id: known.user, version: 1 })),
  'directory: by creation': (em) => list(em, {}, 'create_time'),
  'directory: by address': (em) => list(em, {}, 'email'),
  'directory: by name': (em) => list(em, {}, 'last_name'),
  'directory: admins': (em) => list(em, { roles: ['admin'] }, 'create_time'),
  'directory: prefix': (em) => list(em, { prefix: 'user1000' }, 'create_time'),
  'directory: created between': (em) => list(em, { createdFrom: before, createdBefore: at }, 'create_time'),

  'credentials.findCredentials': (em) => new CredentialRepository(em).findCredentials(EMAIL),
  'credentials.recordLoginSuccess': (em) =>
    new CredentialRepository(em).recordLoginSuccess({
      userId: known.user,
      checkedHash: 'x',
      newHash: null,
      secondFactor: false,
      at,
    }),
  'credentials.recordLoginFailure': (em) =>
    new CredentialRepository(em).recordLoginFailure({
      userId: known.user,
      network: 'network1',
      at,
      lockout,
      watch: {
        windowMs: 600_000,
        stuffing: { accountTag: 1n, accounts: 20, lockMs: 1000 },
        burst: { failures: 10, lockMs: 1000 },
      },
    }),
  'credentials.lockAccount': (em) =>
    new CredentialRepository(em).lockAccount({ userId: known.user, until: at }),
  'signInHistory.latest': (em) => new StoredSignInHistory(em).latest(known.user),
  'credentials.holdAccount': (em) => new CredentialRepository(em).holdAccount({ normalizedEmail: EMAIL }),
  'throttles.findLock': (em) => new SignInThrottleRepository(em).findLock('network10000', at),
  'throttles.deleteIdle': (em) => new SignInThrottleRepository(em).deleteIdle(before, 100),

  'oneTimeTokens.use': (em) => new OneTimeTokenRepository(em).use({ hash, purpose: 'password_reset', at }),
  'oneTimeTokens.endOpen': (em) => new OneTimeTokenRepository(em).endOpen(known.user, at),
  'oneTimeTokens.findToken': (em) =>
    new OneTimeTokenRepository(em).findToken({ hash, purpose: 'password_reset', at }),
  'oneTimeTokens.deleteExpired': (em) => new OneTimeTokenRepository(em).deleteExpired(before, 100),
  'outgoingMails.claim': (em) =>
    new OutgoingMailRepository(em, secretBox, true).claim({ at: before, leaseUntil: at, most: 10 }),
  'outgoingMails.deleteExpired': (em) =>
    new OutgoingMailRepository(em, secretBox, false).deleteExpired(before, 10),
  mailBacklog: (em) => readMailBacklog(em),
  'outgoingMails.remove': (em) => new OutgoingMailRepository(em, secretBox, true).remove(known.mail),
  'answeredRequests.claim': (em) => new AnsweredRequestRepository(em, []).claim(key),
  'answeredRequests.keep': (em) => new AnsweredRequestRepository(em, []).keep(key, {}, known.user),
  'answeredRequests.deleteExpired': (em) => new AnsweredRequestRepository(em, []).deleteExpired(100),
  'answeredRequests.forgetUser': (em) => new AnsweredRequestRepository(em, []).forgetUser(known.user),

  'sessions.find': (em) => new SessionRepository(em).find(known.session),
  'sessions.list': (em) =>
    new SessionRepository(em).list({ userId: known.user, live: null, after: null, limit: 50 }),
  'sessions.list live': (em) =>
    new SessionRepository(em).list({
      userId: known.user,
      live: { at, idleSince: before },
      after: known.session,
      limit: 50,
    }),
  'sessions.listLiveIds': (em) => new SessionRepository(em).listLiveIds(known.user, null, at),
  'sessions.listIdleIds': (em) => new SessionRepository(em).listIdleIds(known.user, before, at),
  'sessions.end': (em) => new SessionRepository(em).end([known.session], 'revoked', at),
  'sessions.recordActivity': (em) =>
    new SessionRepository(em).recordActivity([{ sessionId: known.session, at: at.getTime() }]),
  'sessions.findByRefreshToken': (em) =>
    new SessionRepository(em).findByRefreshToken({ familyId: known.family, hash }),
  'sessions.states': (em) =>
    new SessionStates(em).read([{ sessionId: known.session, userId: known.user, keyId: 'kid' }]),
  'families.findState': (em) => new RefreshTokenFamilyRepository(em).findState(known.family),
  'families.lock': (em) => new RefreshTokenFamilyRepository(em).lock(known.family),
  'families.revokeBySession': (em) =>
    new RefreshTokenFamilyRepository(em).revokeBySession([known.session], 'revoked', at),
  'revocations.from': (em) => new RevocationLog(em).from(19_990n, 100),
  'revocations.newest': (em) => new RevocationLog(em).newest(100),
  'revocations.unexpiredAfter': (em) => new RevocationLog(em).unexpiredAfter(10_000n, at, 100),
  'revocations.deleteExpired': (em) => new RevocationLog(em).deleteExpired(at, 100),

  'securityEvents.findById': (em) => new SecurityEventRepository(em).findById(known.event),
  'securityEvents.resolve': (em) =>
    new SecurityEventRepository(em).resolve(known.event, { at, by: 'operator', note: null }),
  'securityEvents.erasePersonal': (em) => new SecurityEventRepository(em).erasePersonal(known.user),

  'trustedDevices.find': (em) =>
    new TrustedDeviceRepository(em).find({ id: known.device, userId: known.user }),
  'trustedDevices.findByTokenHash': (em) => new TrustedDeviceRepository(em).findByTokenHash(hash),
  'trustedDevices.listByUser': (em) =>
    new TrustedDeviceRepository(em).listByUser(known.user, { trustedAt: null, before: null, limit: 50 }),
  'trustedDevices.listByUser trusted': (em) =>
    new TrustedDeviceRepository(em).listByUser(known.user, {
      trustedAt: at,
      before: known.device,
      limit: 50,
    }),
  'trustedDevices.recordUse': (em) =>
    new TrustedDeviceRepository(em).recordUse({ id: known.device, userId: known.user, ipAddress: null, at }),
  'trustedDevices.revoke': (em) =>
    new TrustedDeviceRepository(em).revoke({ id: known.device, userId: known.user, reason: 'revoked', at }),
  'trustedDevices.revokeAllOfUser': (em) =>
    new TrustedDeviceRepository(em).revokeAllOfUser({ userId: known.user, reason: 'revoked', at }),
  'trustedDevices.revokeBeyond': (em) =>
    new TrustedDeviceRepository(em).revokeBeyond({
      userId: known.user,
      most: 20,
      reason: 'device_limit',
      at,
    }),

  ...factorCalls(known),
  ...auditCalls(known),

  'signingKeys.list': (em) => new SigningKeyRepository(em).list(),
  'signingKeys.retireActive': (em) => new SigningKeyRepository(em).retireActive(at),
  'signingKeys.activateNext': (em) => new SigningKeyRepository(em).activateNext(at),
  'signingKeys.delete': (em) => new SigningKeyRepository(em).delete('kid'),
  'signingKeys.deleteRetired': (em) => new SigningKeyRepository(em).deleteRetired(before),
  'callerKeys.version': (em) => new PostgresCallerKeyStore(em).version(),
  'callerKeys.list': (em) => new PostgresCallerKeyStore(em).list(),
  'callerKeys.insert': (em) =>
    new PostgresCallerKeyStore(em).insert({
      id: known.event,
      name: 'backend',
      scopes: ['users.read'],
      digest: randomBytes(32).toString('hex'),
      createdAt: at,
      createdBy: 'tests',
      expiresAt: null,
      revokedAt: null,
      lastUsedAt: null,
    }),
  'callerKeys.noteUse': (em) => new PostgresCallerKeyStore(em).noteUse(new Map([[known.event, at]])),
});
