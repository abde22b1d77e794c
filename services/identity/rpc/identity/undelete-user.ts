import type { MethodImpl } from '@connectrpc/connect';
import {
  type IdentityService,
  UndeleteUserRequestSchema,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { undeleteUser as restore } from '../../domain/users/undelete-user.ts';
import { userMessage } from '../user-message.ts';
import { userChangeOf } from './user-change.ts';

/** optix.identity.v1.IdentityService/UndeleteUser */
export function undeleteUser(
  context: Pick<IdentityContext, 'userAdmin' | 'requestKeys'>,
): MethodImpl<typeof IdentityService.method.undeleteUser> {
  return async (request, call) => {
    const change = userChangeOf(context, call, UndeleteUserRequestSchema, request);
    return { user: userMessage(await restore(context.userAdmin, change)) };
  };
}
