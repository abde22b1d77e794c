import type { MethodImpl } from '@connectrpc/connect';
import type { SessionService } from '../../../../gen/optix/identity/v1/session_service_pb.ts';
import { SessionNotFound } from '../../domain/errors.ts';
import type { RevokeDeps } from '../../domain/revoke-session.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { storedSessionMessage } from '../session-message.ts';

/** optix.identity.v1.SessionService/GetSession */
export function getSession({
  revocation: { sessions, sessionPolicy, now },
}: {
  readonly revocation: Pick<RevokeDeps, 'sessions' | 'sessionPolicy' | 'now'>;
}): MethodImpl<typeof SessionService.method.getSession> {
  return async (request) => {
    const fields = new Fields();
    const id = fields.take('id', parseUuid(request.id));
    fields.check();
    const session = await sessions.find(id);
    if (session === null) throw new SessionNotFound();
    return { session: storedSessionMessage(session, sessionPolicy, now()) };
  };
}
