/** Why a passkey's response was refused: short words for logs and for the metadata of security events. */
export type PasskeyRefusal =
  | 'malformed'
  | 'wrong_type'
  | 'wrong_challenge'
  | 'wrong_origin'
  | 'cross_origin'
  | 'wrong_relying_party'
  | 'user_not_present'
  | 'user_not_verified'
  | 'unsupported_algorithm'
  | 'wrong_credential'
  | 'wrong_user'
  | 'wrong_signature'
  | 'backup_eligibility_changed'
  | 'sign_count_not_risen';

/**
 * What an authenticator answered proves nothing. The message holds the reason only, nothing of the response or of what
 * was expected: a challenge is a secret until it is used.
 */
export class PasskeyRefused extends Error {
  readonly reason: PasskeyRefusal;

  constructor(reason: PasskeyRefusal) {
    super(`the passkey was refused: ${reason}`);
    this.name = 'PasskeyRefused';
    this.reason = reason;
  }
}
