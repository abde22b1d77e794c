import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { MethodImpl } from '@connectrpc/connect';
import type { CredentialService } from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import { beginPasskeyRegistration as begin } from '../../domain/second-factors/begin-passkey-registration.ts';
import type { PasskeyDeps } from '../../domain/second-factors/passkey-deps.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { takeToken } from '../token/token-field.ts';

/** optix.identity.v1.CredentialService/BeginPasskeyRegistration */
export function beginPasskeyRegistration({
  passkeys,
}: {
  readonly passkeys: PasskeyDeps;
}): MethodImpl<typeof CredentialService.method.beginPasskeyRegistration> {
  return async (request, call) => {
    const fields = new Fields();
    const accessToken = takeToken(fields, 'access_token', request.accessToken);
    const device = takeDevice(fields, request.device, call);
    fields.check();
    const { token, options, expiresAt } = await begin(passkeys, { accessToken, device });
    return { registrationToken: token, options, expireTime: timestampFromDate(expiresAt) };
  };
}
