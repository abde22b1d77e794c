import type { MethodImpl } from '@connectrpc/connect';
import type { CredentialService } from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { requestPasswordReset as requestReset } from '../../domain/credentials/request-password-reset.ts';
import { parseEmail } from '../../domain/email.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';

/** optix.identity.v1.CredentialService/RequestPasswordReset */
export function requestPasswordReset({
  credentials,
}: Pick<IdentityContext, 'credentials'>): MethodImpl<typeof CredentialService.method.requestPasswordReset> {
  return async (request, call) => {
    const fields = new Fields();
    const email = fields.take('email', parseEmail(request.email));
    const device = takeDevice(fields, request.device, call);
    fields.check();
    await requestReset(credentials, { email, device }, call.signal);
    return {};
  };
}
