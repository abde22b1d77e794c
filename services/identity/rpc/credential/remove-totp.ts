import type { MethodImpl } from '@connectrpc/connect';
import type { CredentialService } from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import { removeTotp as remove } from '../../domain/second-factors/remove-totp.ts';
import type { SecondFactorDeps } from '../../domain/second-factors/second-factor-deps.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { takeToken } from '../token/token-field.ts';

/** optix.identity.v1.CredentialService/RemoveTotp */
export function removeTotp({
  secondFactors,
}: {
  readonly secondFactors: SecondFactorDeps;
}): MethodImpl<typeof CredentialService.method.removeTotp> {
  return async (request, call) => {
    const fields = new Fields();
    const accessToken = takeToken(fields, 'access_token', request.accessToken);
    const device = takeDevice(fields, request.device, call);
    fields.check();
    await remove(secondFactors, { accessToken, device });
    return {};
  };
}
