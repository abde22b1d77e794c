import type { MethodImpl } from '@connectrpc/connect';
import {
  type IdentityService,
  PurgeUserRequestSchema,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { purgeUser as purge } from '../../domain/users/purge-user.ts';
import { userChangeOf } from './user-change.ts';

/** optix.identity.v1.IdentityService/PurgeUser */
export function purgeUser(
  context: Pick<IdentityContext, 'userAdmin' | 'requestKeys'>,
): MethodImpl<typeof IdentityService.method.purgeUser> {
  return async (request, call) => {
    const change = userChangeOf(context, call, PurgeUserRequestSchema, request);
    const { sessions, securityEvents } = await purge(context.userAdmin, change);
    return { sessions: BigInt(sessions), securityEvents: BigInt(securityEvents) };
  };
}
