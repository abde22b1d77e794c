import type { MethodImpl } from '@connectrpc/connect';
import {
  type IdentityService,
  ReactivateUserRequestSchema,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { reactivateUser as reactivate } from '../../domain/users/reactivate-user.ts';
import { userMessage } from '../user-message.ts';
import { userChangeOf } from './user-change.ts';

/** optix.identity.v1.IdentityService/ReactivateUser */
export function reactivateUser(
  context: Pick<IdentityContext, 'userAdmin' | 'requestKeys'>,
): MethodImpl<typeof IdentityService.method.reactivateUser> {
  return async (request, call) => {
    const change = userChangeOf(context, call, ReactivateUserRequestSchema, request);
    return { user: userMessage(await reactivate(context.userAdmin, change)) };
  };
}
