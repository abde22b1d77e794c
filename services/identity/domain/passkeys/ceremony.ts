import { decodeClientDataJSON } from '@simplewebauthn/server/helpers';
import { type PasskeyRefusal, PasskeyRefused } from './errors.ts';

/** COSE algorithms that passkeys may sign with, the preferred one first: EdDSA, ES256, RS256 (RFC 9053, RFC 8812). */
export const ALGORITHMS = [-8, -7, -257];

/** How long a browser waits for the user, in milliseconds: the recommendation of WebAuthn section 15.1. */
export const CEREMONY_MS = 300_000;

/** The library tells its refusals apart by their messages only. What none of these begins is malformed. */
const MESSAGES: readonly (readonly [RegExp, PasskeyRefusal])[] = [
  [/^Unexpected (registration|authentication) response type/, 'wrong_type'],
  [/^Unexpected (registration|authentication) response challenge/, 'wrong_challenge'],
  [/^Unexpected (registration|authentication) response origin/, 'wrong_origin'],
  [/^(Detected cross-origin|Unexpected top origin)/, 'cross_origin'],
  [/^Unexpected RP ID hash/, 'wrong_relying_party'],
  [/^(User presence was required|User not present)/, 'user_not_present'],
  [/^User verification (was )?required/, 'user_not_verified'],
  [/^Unexpected public key alg/, 'unsupported_algorithm'],
];

/**
 * Runs a verification of the library on a response whose shape is known to be good.
 *
 * @throws PasskeyRefused for everything that the verification throws: it decides about bytes from outside alone.
 */
export async function verifying<T>(clientDataJSON: string, verify: () => Promise<T>): Promise<T> {
  try {
    const result = await verify();
    refuseFrames(clientDataJSON);
    return result;
  } catch (error) {
    if (error instanceof PasskeyRefused) throw error;
    const message = error instanceof Error ? error.message : '';
    // No cause: messages of the library hold the expected challenge.
    throw new PasskeyRefused(MESSAGES.find(([pattern]) => pattern.test(message))?.[1] ?? 'malformed');
  }
}

/** A page of another origin that shows ours in a frame gets no passkey (WebAuthn sections 7.1 and 7.2, on `crossOrigin`). */
function refuseFrames(clientDataJSON: string): void {
  const { crossOrigin = false, topOrigin } = decodeClientDataJSON(clientDataJSON);
  if (crossOrigin !== false || topOrigin !== undefined) throw new PasskeyRefused('cross_origin');
}
