import type { MethodImpl } from '@connectrpc/connect';
import type { CredentialService } from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import { confirmTotpEnrollment as confirm } from '../../domain/second-factors/confirm-totp-enrollment.ts';
import type { SecondFactorDeps } from '../../domain/second-factors/second-factor-deps.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { takeToken } from '../token/token-field.ts';
import { takeRequired } from './password-fields.ts';

/** optix.identity.v1.CredentialService/ConfirmTotpEnrollment */
export function confirmTotpEnrollment({
  secondFactors,
}: {
  readonly secondFactors: SecondFactorDeps;
}): MethodImpl<typeof CredentialService.method.confirmTotpEnrollment> {
  return async (request, call) => {
    const fields = new Fields();
    const confirmation = {
      accessToken: takeToken(fields, 'access_token', request.accessToken),
      // Whatever is not six digits is a wrong code.
      code: takeRequired(fields, 'code', request.code),
      device: takeDevice(fields, request.device, call),
    };
    fields.check();
    return { recoveryCodes: [...(await confirm(secondFactors, confirmation, call.signal))] };
  };
}
