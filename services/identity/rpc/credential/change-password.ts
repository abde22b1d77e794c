import type { HandlerContext, MethodImpl } from '@connectrpc/connect';
import {
  type ChangePasswordRequest,
  ChangePasswordRequestSchema,
  type CredentialService,
} from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { changePassword as change, type PasswordChange } from '../../domain/credentials/change-password.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { requestKeyOf } from '../request-key.ts';
import { takeRequired, takeTypedPassword } from './password-fields.ts';

/** optix.identity.v1.CredentialService/ChangePassword */
export function changePassword(
  context: Pick<IdentityContext, 'credentials' | 'requestKeys'>,
): MethodImpl<typeof CredentialService.method.changePassword> {
  return async (request, call) => {
    const wanted = changeOf(request, call);
    const key = requestKeyOf(context, call, ChangePasswordRequestSchema, request);
    const { revokedSessions } = await change(context.credentials, wanted, key, call.signal);
    return { revokedSessions: BigInt(revokedSessions) };
  };
}

function changeOf(request: ChangePasswordRequest, call: HandlerContext): PasswordChange {
  const fields = new Fields();
  const wanted: PasswordChange = {
    userId: fields.take('user_id', parseUuid(request.userId)),
    currentPassword: takeTypedPassword(fields, 'current_password', request.currentPassword),
    newPassword: takeRequired(fields, 'new_password', request.newPassword),
    sessionId: request.sessionId === '' ? null : fields.take('session_id', parseUuid(request.sessionId)),
    device: takeDevice(fields, request.device, call),
  };
  fields.check();
  return wanted;
}
