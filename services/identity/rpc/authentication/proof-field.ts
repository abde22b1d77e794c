import type { CompleteChallengeRequest } from '../../../../gen/optix/identity/v1/authentication_service_pb.ts';
import type { TypedProof } from '../../domain/challenges/complete-challenge.ts';
import { parseRecoveryCode } from '../../domain/recovery-code.ts';
import { takeTypedPassword } from '../credential/password-fields.ts';
import type { Fields } from '../fields.ts';

const MAX_PASSKEY_RESPONSE_BYTES = 16 * 1024;
/** As apps show it: with a space between two digits where a person typed one. */
const TOTP_FORM = /^[0-9](?: ?[0-9]){5}$/;

/** What a user shows. A text that can't be a code is a field violation and no attempt: nobody has guessed with it. */
export function takeProof(fields: Fields, { proof }: Pick<CompleteChallengeRequest, 'proof'>): TypedProof {
  switch (proof.case) {
    case 'totpCode':
      if (!TOTP_FORM.test(proof.value)) fields.add('totp_code', 'must be six digits');
      return { method: 'totp', code: proof.value };
    case 'recoveryCode':
      fields.take('recovery_code', parseRecoveryCode(proof.value));
      return { method: 'recovery_code', code: proof.value };
    case 'passkeyResponse':
      if (proof.value === '') fields.add('passkey_response', 'must not be empty');
      else if (Buffer.byteLength(proof.value) > MAX_PASSKEY_RESPONSE_BYTES) {
        fields.add('passkey_response', `must have at most ${MAX_PASSKEY_RESPONSE_BYTES} bytes`);
      }
      return { method: 'passkey', response: proof.value };
    case 'password':
      return { method: 'password', password: takeTypedPassword(fields, 'password', proof.value) };
    case undefined:
      fields.add('proof', 'must be set');
      return undefined as never;
  }
}
