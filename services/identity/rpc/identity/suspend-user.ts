import type { MethodImpl } from '@connectrpc/connect';
import {
  type IdentityService,
  SuspendUserRequestSchema,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { suspendUser as suspend } from '../../domain/users/suspend-user.ts';
import { userMessage } from '../user-message.ts';
import { userChangeOf } from './user-change.ts';

/** optix.identity.v1.IdentityService/SuspendUser */
export function suspendUser(
  context: Pick<IdentityContext, 'userAdmin' | 'requestKeys'>,
): MethodImpl<typeof IdentityService.method.suspendUser> {
  return async (request, call) => {
    const change = userChangeOf(context, call, SuspendUserRequestSchema, request);
    return { user: userMessage(await suspend(context.userAdmin, change)) };
  };
}
