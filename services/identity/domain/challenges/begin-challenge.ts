import { v7 as uuidV7 } from 'uuid';
import type { Passkey, UserVerification } from '../passkeys/passkey.ts';
import type { RelyingParty } from '../passkeys/relying-party.ts';
import { requestOptions } from '../second-factors/passkey-options.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import {
  type ChallengeMethod,
  createChallengeToken,
  type NewChallenge,
  newWebauthnChallenge,
} from './challenge.ts';

export interface BeginChallengeDeps {
  /** Null where passkeys are not set up. */
  readonly relyingParty: RelyingParty | null;
  /** How long a challenge can be completed, in milliseconds. */
  readonly challengeLifetimeMs: number;
}

/** What a user is told of a challenge. */
export interface OpenedChallenge {
  /** Given out once. */
  readonly token: string;
  /** What it can be completed with, the preferred one first. */
  readonly methods: readonly ChallengeMethod[];
  readonly expiresAt: Date;
  /** For `navigator.credentials.get`, as JSON; null where no passkey can be used. */
  readonly passkeyOptions: string | null;
}

/** A challenge that begins. */
export interface ChallengeToBegin
  extends Pick<
    NewChallenge,
    'purpose' | 'userId' | 'sessionId' | 'passwordDigest' | 'amr' | 'device' | 'createdAt'
  > {
  readonly methods: readonly ChallengeMethod[];
  /** Those that can be used; empty where the passkey is to tell whose it is. */
  readonly passkeys: readonly Passkey[];
  readonly userVerification: UserVerification;
}

/** Writes down a challenge, and makes what its user is told. @throws DatabaseUnavailable */
export async function beginChallenge(
  { relyingParty, challengeLifetimeMs }: BeginChallengeDeps,
  { challenges }: Pick<Repositories, 'challenges'>,
  begun: ChallengeToBegin,
): Promise<OpenedChallenge> {
  const { methods, passkeys, userVerification, device, createdAt, ...challenge } = begun;
  const { token, hash: tokenHash } = createChallengeToken();
  const webauthnChallenge = newWebauthnChallenge();
  const expiresAt = new Date(createdAt.getTime() + challengeLifetimeMs);
  await challenges.insert({
    ...challenge,
    id: uuidV7() as Uuid,
    tokenHash,
    webauthnChallenge,
    createdAt,
    expiresAt,
    device: { id: device.id, fingerprint: device.fingerprint },
  });
  const passkeyOptions =
    relyingParty === null || !methods.includes('passkey')
      ? null
      : await requestOptions(relyingParty, passkeys, webauthnChallenge, userVerification);
  return { token, methods, expiresAt, passkeyOptions };
}
