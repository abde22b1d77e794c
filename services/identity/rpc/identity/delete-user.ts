import type { MethodImpl } from '@connectrpc/connect';
import {
  DeleteUserRequestSchema,
  type IdentityService,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { deleteUser as softDelete } from '../../domain/users/delete-user.ts';
import { userMessage } from '../user-message.ts';
import { userChangeOf } from './user-change.ts';

/** optix.identity.v1.IdentityService/DeleteUser */
export function deleteUser(
  context: Pick<IdentityContext, 'userAdmin' | 'requestKeys'>,
): MethodImpl<typeof IdentityService.method.deleteUser> {
  return async (request, call) => {
    const change = userChangeOf(context, call, DeleteUserRequestSchema, request);
    return { user: userMessage(await softDelete(context.userAdmin, change)) };
  };
}
