import type { MethodImpl } from '@connectrpc/connect';
import type {
  ListSessionsRequest,
  SessionService,
} from '../../../../gen/optix/identity/v1/session_service_pb.ts';
import type { RevokeDeps } from '../../domain/revoke-session.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { storedSessionMessage } from '../session-message.ts';
import { readPageToken, type SessionListing, writePageToken } from './session-page-token.ts';

const MAX_PAGE_SIZE = 1_000;
const DEFAULT_PAGE_SIZE = 50;

/** optix.identity.v1.SessionService/ListSessions */
export function listSessions({
  revocation: { sessions, sessionPolicy, now },
}: {
  readonly revocation: Pick<RevokeDeps, 'sessions' | 'sessionPolicy' | 'now'>;
}): MethodImpl<typeof SessionService.method.listSessions> {
  return async (request) => {
    const { listing, after, pageSize } = queryOf(request);
    const { userId, showEnded } = listing;
    const at = now();
    const live = showEnded ? null : { at, idleSince: sessionPolicy.idleSince(at) };
    // One more than asked for tells whether there is another page.
    const found = await sessions.list({ userId, live, after, limit: pageSize + 1 });
    const page = found.slice(0, pageSize);
    const last = page.at(-1);
    return {
      sessions: page.map((session) => storedSessionMessage(session, sessionPolicy, at)),
      nextPageToken: found.length > pageSize && last !== undefined ? writePageToken(listing, last.id) : '',
    };
  };
}

function queryOf(request: ListSessionsRequest): {
  readonly listing: SessionListing;
  readonly after: Uuid | null;
  readonly pageSize: number;
} {
  const { pageSize, pageToken, showEnded } = request;
  const fields = new Fields();
  if (pageSize < 0 || pageSize > MAX_PAGE_SIZE) {
    fields.add('page_size', `must be from 1 to ${MAX_PAGE_SIZE}, or 0 for ${DEFAULT_PAGE_SIZE}`);
  }
  const listing = { userId: fields.take('user_id', parseUuid(request.userId)), showEnded };
  const after = pageToken === '' ? null : readPageToken(listing, pageToken);
  if (after === undefined) fields.add('page_token', 'is none of this list (INVALID_PAGE_TOKEN)');
  fields.check();
  return { listing, after: after ?? null, pageSize: pageSize || DEFAULT_PAGE_SIZE };
}
