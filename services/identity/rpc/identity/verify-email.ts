import type { MethodImpl } from '@connectrpc/connect';
import {
  type IdentityService,
  VerifyEmailRequestSchema,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import { InvalidRequest } from '../../../../runtime/errors.ts';
import type { IdentityContext } from '../../context.ts';
import { verifyEmail as verify } from '../../domain/credentials/verify-email.ts';
import { requestKeyOf } from '../request-key.ts';
import { userMessage } from '../user-message.ts';

/** optix.identity.v1.IdentityService/VerifyEmail */
export function verifyEmail(
  context: Pick<IdentityContext, 'verification' | 'requestKeys'>,
): MethodImpl<typeof IdentityService.method.verifyEmail> {
  return async (request, call) => {
    const { token } = request;
    if (token === '') throw new InvalidRequest([{ field: 'token', description: 'must not be empty' }]);
    const key = requestKeyOf(context, call, VerifyEmailRequestSchema, request);
    return { user: userMessage(await verify(context.verification, token, key)) };
  };
}
