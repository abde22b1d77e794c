import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { MethodImpl } from '@connectrpc/connect';
import {
  type IdentityService,
  SendEmailVerificationRequestSchema,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { sendEmailVerification as send } from '../../domain/credentials/send-email-verification.ts';
import { Fields } from '../fields.ts';
import { requestKeyOf } from '../request-key.ts';
import { parseUuid } from './user-fields.ts';

/** optix.identity.v1.IdentityService/SendEmailVerification */
export function sendEmailVerification(
  context: Pick<IdentityContext, 'verification' | 'requestKeys'>,
): MethodImpl<typeof IdentityService.method.sendEmailVerification> {
  return async (request, call) => {
    const fields = new Fields();
    const id = fields.take('id', parseUuid(request.id));
    fields.check();
    const key = requestKeyOf(context, call, SendEmailVerificationRequestSchema, request);
    const { expiresAt } = await send(context.verification, id, key, call.signal);
    return { expireTime: timestampFromDate(expiresAt) };
  };
}
