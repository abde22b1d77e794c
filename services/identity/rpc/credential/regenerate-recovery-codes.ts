import type { MethodImpl } from '@connectrpc/connect';
import type { CredentialService } from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import { regenerateRecoveryCodes as regenerate } from '../../domain/second-factors/regenerate-recovery-codes.ts';
import type { SecondFactorDeps } from '../../domain/second-factors/second-factor-deps.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { takeToken } from '../token/token-field.ts';

/** optix.identity.v1.CredentialService/RegenerateRecoveryCodes */
export function regenerateRecoveryCodes({
  secondFactors,
}: {
  readonly secondFactors: SecondFactorDeps;
}): MethodImpl<typeof CredentialService.method.regenerateRecoveryCodes> {
  return async (request, call) => {
    const fields = new Fields();
    const accessToken = takeToken(fields, 'access_token', request.accessToken);
    const device = takeDevice(fields, request.device, call);
    fields.check();
    return { recoveryCodes: [...(await regenerate(secondFactors, { accessToken, device }))] };
  };
}
