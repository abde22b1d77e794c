import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { HandlerContext, MethodImpl } from '@connectrpc/connect';
import {
  type ConfirmPasswordResetRequest,
  ConfirmPasswordResetRequestSchema,
  type CredentialService,
} from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import {
  confirmPasswordReset as confirm,
  type PasswordReset,
} from '../../domain/credentials/confirm-password-reset.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { requestKeyOf } from '../request-key.ts';
import { takeRequired } from './password-fields.ts';

/** optix.identity.v1.CredentialService/ConfirmPasswordReset */
export function confirmPasswordReset(
  context: Pick<IdentityContext, 'credentials' | 'requestKeys'>,
): MethodImpl<typeof CredentialService.method.confirmPasswordReset> {
  return async (request, call) => {
    const wanted = resetOf(request, call);
    const key = requestKeyOf(context, call, ConfirmPasswordResetRequestSchema, request);
    const done = await confirm(context.credentials, wanted, key, call.signal);
    return {
      userId: done.userId,
      revokedSessions: BigInt(done.revokedSessions),
      changeTime: timestampFromDate(done.changedAt),
    };
  };
}

function resetOf(request: ConfirmPasswordResetRequest, call: HandlerContext): PasswordReset {
  const fields = new Fields();
  const wanted: PasswordReset = {
    token: takeRequired(fields, 'token', request.token),
    newPassword: takeRequired(fields, 'new_password', request.newPassword),
    device: takeDevice(fields, request.device, call),
  };
  fields.check();
  return wanted;
}
