import type { MethodImpl } from '@connectrpc/connect';
import {
  type IdentityService,
  UnlockUserRequestSchema,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { unlockUser as unlock } from '../../domain/users/unlock-user.ts';
import { userMessage } from '../user-message.ts';
import { userChangeOf } from './user-change.ts';

/** optix.identity.v1.IdentityService/UnlockUser */
export function unlockUser(
  context: Pick<IdentityContext, 'userAdmin' | 'requestKeys'>,
): MethodImpl<typeof IdentityService.method.unlockUser> {
  return async (request, call) => {
    const change = userChangeOf(context, call, UnlockUserRequestSchema, request);
    return { user: userMessage(await unlock(context.userAdmin, change)) };
  };
}
