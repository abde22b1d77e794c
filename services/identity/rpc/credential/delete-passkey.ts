import type { MethodImpl } from '@connectrpc/connect';
import type { CredentialService } from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import { deletePasskey as remove } from '../../domain/second-factors/delete-passkey.ts';
import type { PasskeyDeps } from '../../domain/second-factors/passkey-deps.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { takeToken } from '../token/token-field.ts';

/** optix.identity.v1.CredentialService/DeletePasskey */
export function deletePasskey({
  passkeys,
}: {
  readonly passkeys: PasskeyDeps;
}): MethodImpl<typeof CredentialService.method.deletePasskey> {
  return async (request, call) => {
    const fields = new Fields();
    const wanted = {
      accessToken: takeToken(fields, 'access_token', request.accessToken),
      passkeyId: fields.take('passkey_id', parseUuid(request.passkeyId)),
      device: takeDevice(fields, request.device, call),
    };
    fields.check();
    await remove(passkeys, wanted);
    return {};
  };
}
