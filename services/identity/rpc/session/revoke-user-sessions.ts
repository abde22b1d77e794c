import type { MethodImpl } from '@connectrpc/connect';
import {
  RevokeUserSessionsRequestSchema,
  type SessionService,
} from '../../../../gen/optix/identity/v1/session_service_pb.ts';
import type { RevokeDeps } from '../../domain/revoke-session.ts';
import { revokeUserSessions as revoke } from '../../domain/revoke-user-sessions.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { type RequestKeys, requestKeyOf } from '../request-key.ts';

/** optix.identity.v1.SessionService/RevokeUserSessions */
export function revokeUserSessions(context: {
  readonly requestKeys: RequestKeys;
  readonly revocation: RevokeDeps;
}): MethodImpl<typeof SessionService.method.revokeUserSessions> {
  return async (request, call) => {
    const { exceptSessionId } = request;
    const fields = new Fields();
    const userId = fields.take('user_id', parseUuid(request.userId));
    const except =
      exceptSessionId === '' ? null : fields.take('except_session_id', parseUuid(exceptSessionId));
    const origin = takeOrigin(fields, call, request);
    fields.check();
    const requestKey = requestKeyOf(context, call, RevokeUserSessionsRequestSchema, request);
    const count = await revoke(context.revocation, { userId, except, origin, requestKey });
    return { revokedCount: BigInt(count) };
  };
}
