import type { SessionProofDeps } from '../challenges/session-proof.ts';
import type { RelyingParty } from '../passkeys/relying-party.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import { PasskeysNotConfigured } from './errors.ts';

/** What registering and managing passkeys needs. */
export interface PasskeyDeps extends SessionProofDeps {
  readonly unitOfWork: UnitOfWork;
  /** Null where no passkeys can be used. */
  readonly relyingParty: RelyingParty | null;
  /** How long a registration may take, in milliseconds. */
  readonly challengeLifetimeMs: number;
}

/** @throws PasskeysNotConfigured */
export function requireRelyingParty({ relyingParty }: Pick<PasskeyDeps, 'relyingParty'>): RelyingParty {
  if (relyingParty === null) throw new PasskeysNotConfigured();
  return relyingParty;
}
