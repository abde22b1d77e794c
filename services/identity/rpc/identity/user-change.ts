import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import type { UserChange } from '../../domain/users/change-user.ts';
import { takeOrigin } from '../change-origin.ts';
import { Fields } from '../fields.ts';
import { type RequestKeys, requestKeyOf } from '../request-key.ts';
import { parseUuid } from './user-fields.ts';

/** What requests for a change of one user have in common. */
interface ChangeRequest {
  readonly id: string;
  readonly etag?: string;
  readonly requestId: string;
  readonly actor: string;
  readonly reason: string;
}

/**
 * The change of one user that a request asks for.
 *
 * @param fields takes what is wrong; checked in here
 * @throws InvalidRequest
 */
export function userChangeOf<D extends DescMessage>(
  deps: { readonly requestKeys: RequestKeys },
  context: HandlerContext,
  schema: D,
  request: MessageShape<D> & ChangeRequest,
  fields: Fields = new Fields(),
): UserChange {
  const id = fields.take('id', parseUuid(request.id));
  const origin = takeOrigin(fields, context, request);
  fields.check();
  const requestKey = requestKeyOf(deps, context, schema, request);
  return { id, etag: request.etag || null, requestKey, origin };
}
