import { createHash, randomBytes } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { authenticationContext } from '../domain/authentication-context.ts';
import type { Passkey } from '../domain/passkeys/passkey.ts';
import { SecretBox } from '../domain/secret-box.ts';
import type { Uuid } from '../domain/uuid.ts';
import { ChallengeRepository } from './challenge-repository.ts';
import { CredentialRepository } from './credential-repository.ts';
import { PasskeyRepository } from './passkey-repository.ts';
import { RecoveryCodeRepository } from './recovery-code-repository.ts';
import { SecondFactorRepository } from './second-factor-repository.ts';
import { SessionRepository } from './session-repository.ts';
import { query } from './sql.ts';
import type { KnownRow } from './testing-queries.ts';
import { TotpAuthenticatorRepository } from './totp-authenticator-repository.ts';

const at = new Date();
const later = new Date(at.getTime() + 60_000);
const hash = createHash('sha256').update('10000').digest();
const secretBox = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });
const fresh = '019b0000-0000-7000-8000-00000000f00d' as Uuid;

const totp = (em: EntityManager) => new TotpAuthenticatorRepository(em, secretBox);
const passkey = (userId: Uuid): Passkey => ({
  id: fresh,
  userId,
  credentialId: randomBytes(16),
  publicKey: randomBytes(70),
  signCount: 0,
  aaguid: null,
  transports: ['internal'],
  name: null,
  deviceType: 'single_device',
  backedUp: false,
  createdAt: at,
  lastUsedAt: null,
});

/** Calls that together send the statements about second factors and challenges. */
export const factorCalls = (known: KnownRow): Record<string, (em: EntityManager) => Promise<unknown>> => ({
  'totp.putPending': (em) =>
    totp(em).putPending({
      id: fresh,
      userId: known.user,
      secret: randomBytes(20),
      createdAt: at,
      expiresAt: later,
    }),
  'totp.findPending': (em) => totp(em).findPending(known.user, later),
  // What is stored was sealed with another key.
  'totp.findConfirmed': (em) =>
    query(em, 'delete from user_service.totp_authenticators where user_id = ?', [known.user]).then(() =>
      totp(em).findConfirmed(known.user),
    ),
  'totp.confirm': (em) => totp(em).confirm({ id: fresh, userId: known.user, step: 1, at }),
  'totp.useStep': (em) => totp(em).useStep({ id: known.user, userId: known.user, step: 10 }),
  'totp.remove': (em) => totp(em).remove(known.user),
  'recoveryCodes.replace': (em) =>
    new RecoveryCodeRepository(em).replace({ userId: known.user, hashes: [randomBytes(32)], at }),
  'recoveryCodes.use': (em) => new RecoveryCodeRepository(em).use({ userId: known.user, hash, at }),
  'recoveryCodes.removeAll': (em) => new RecoveryCodeRepository(em).removeAll(known.user),
  'secondFactors.find': (em) => new SecondFactorRepository(em).find(known.user),
  'secondFactors.refreshFlags': (em) => new SecondFactorRepository(em).refreshFlags(known.user, at),
  'passkeys.insert': (em) => new PasskeyRepository(em).insert(passkey(known.user)),
  'passkeys.listByUser': (em) => new PasskeyRepository(em).listByUser(known.user),
  'passkeys.findByCredentialId': (em) => new PasskeyRepository(em).findByCredentialId(hash),
  'passkeys.recordUse': (em) =>
    new PasskeyRepository(em).recordUse({
      id: known.user,
      checkedSignCount: 0,
      signCount: 1,
      backedUp: false,
      at,
    }),
  'passkeys.rename': (em) =>
    new PasskeyRepository(em).rename({ id: known.user, userId: known.user, name: 'x' }),
  'passkeys.remove': (em) => new PasskeyRepository(em).remove(known.user, known.user),
  'passkeys.removeAll': (em) => new PasskeyRepository(em).removeAll(known.user),
  'credentials.holdForSignIn': (em) => new CredentialRepository(em).holdForSignIn({ userId: known.user, at }),
  'sessions.recordAuthentication': (em) =>
    new SessionRepository(em).recordAuthentication({
      id: known.session,
      authentication: authenticationContext(['pwd'], at),
      mfaVerified: false,
      at,
    }),
  'challenges.insert': (em) =>
    new ChallengeRepository(em).insert({
      id: fresh,
      tokenHash: randomBytes(32),
      purpose: 'sign_in',
      userId: known.user,
      sessionId: null,
      passwordDigest: hash,
      amr: ['pwd'],
      device: { id: null, fingerprint: null },
      webauthnChallenge: hash,
      createdAt: at,
      expiresAt: later,
    }),
  'challenges.findOpen': (em) => new ChallengeRepository(em).findOpen(hash, at),
  'challenges.use': (em) => new ChallengeRepository(em).use({ tokenHash: hash, at }),
  'challenges.recordAttempt': (em) => new ChallengeRepository(em).recordAttempt({ tokenHash: hash, at }),
  'challenges.endOpen': (em) => new ChallengeRepository(em).endOpen(known.user, at),
});
