import type { MethodImpl } from '@connectrpc/connect';
import {
  RevokeSessionRequestSchema,
  type SessionService,
} from '../../../../gen/optix/identity/v1/session_service_pb.ts';
import { type RevokeDeps, revokeSession as revoke } from '../../domain/revoke-session.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { type RequestKeys, requestKeyOf } from '../request-key.ts';
import { storedSessionMessage } from '../session-message.ts';

/** optix.identity.v1.SessionService/RevokeSession */
export function revokeSession(context: {
  readonly requestKeys: RequestKeys;
  readonly revocation: RevokeDeps;
}): MethodImpl<typeof SessionService.method.revokeSession> {
  const { revocation } = context;
  return async (request, call) => {
    const fields = new Fields();
    const id = fields.take('id', parseUuid(request.id));
    const origin = takeOrigin(fields, call, request);
    fields.check();
    // Only its form counts: a retry finds the session ended.
    requestKeyOf(context, call, RevokeSessionRequestSchema, request);
    const session = await revoke(revocation, id, origin);
    return { session: storedSessionMessage(session, revocation.sessionPolicy, revocation.now()) };
  };
}
