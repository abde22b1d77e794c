import type { MethodImpl } from '@connectrpc/connect';
import type { CredentialService } from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import type { PasskeyDeps } from '../../domain/second-factors/passkey-deps.ts';
import { parsePasskeyName } from '../../domain/second-factors/passkey-name.ts';
import { updatePasskey as update } from '../../domain/second-factors/update-passkey.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { takeToken } from '../token/token-field.ts';
import { passkeyMessage } from './passkey-message.ts';

/** optix.identity.v1.CredentialService/UpdatePasskey */
export function updatePasskey({
  passkeys,
}: {
  readonly passkeys: PasskeyDeps;
}): MethodImpl<typeof CredentialService.method.updatePasskey> {
  return async (request) => {
    const fields = new Fields();
    const wanted = {
      accessToken: takeToken(fields, 'access_token', request.accessToken),
      passkeyId: fields.take('passkey_id', parseUuid(request.passkeyId)),
      name: fields.take('name', parsePasskeyName(request.name)),
    };
    fields.check();
    return { passkey: passkeyMessage(await update(passkeys, wanted)) };
  };
}
