import type { MethodImpl } from '@connectrpc/connect';
import type {
  IdentityService,
  ListUsersRequest,
} from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { accepted, type Parsed, rejected } from '../../domain/parsed.ts';
import type { PageTokens } from '../../domain/users/page-tokens.ts';
import {
  USER_ORDERS,
  type UserListing,
  type UserOrder,
  type UserPlace,
} from '../../domain/users/user-directory.ts';
import { Fields } from '../fields.ts';
import { userMessage } from '../user-message.ts';
import { takeUserFilter } from './user-filter.ts';

const MAX_PAGE_SIZE = 1_000;
const DEFAULT_PAGE_SIZE = 50;

/** optix.identity.v1.IdentityService/ListUsers */
export function listUsers({
  directory,
  pageTokens,
}: Pick<IdentityContext, 'directory' | 'pageTokens'>): MethodImpl<typeof IdentityService.method.listUsers> {
  return async (request) => {
    const { listing, after, pageSize } = queryOf(request, pageTokens);
    const { users, next } = await directory.list(listing, after, pageSize);
    return {
      users: users.map(userMessage),
      nextPageToken: next === null ? '' : pageTokens.write(listing, next),
    };
  };
}

function queryOf(
  request: ListUsersRequest,
  pageTokens: PageTokens,
): { readonly listing: UserListing; readonly after: UserPlace | null; readonly pageSize: number } {
  const { pageSize, pageToken, filter, orderBy, showDeleted } = request;
  const fields = new Fields();
  if (pageSize < 0 || pageSize > MAX_PAGE_SIZE) {
    fields.add('page_size', `must be from 1 to ${MAX_PAGE_SIZE}, or 0 for ${DEFAULT_PAGE_SIZE}`);
  }
  const order = fields.take('order_by', parseOrder(orderBy));
  const userFilter = takeUserFilter(fields, filter, showDeleted);
  // What follows needs the filter and the order to be right.
  fields.check();
  const listing: UserListing = { filter: userFilter, ...order };
  const after = pageToken === '' ? null : pageTokens.read(listing, pageToken);
  if (after === undefined) fields.add('page_token', 'is none of this list (INVALID_PAGE_TOKEN)');
  fields.check();
  return { listing, after: after ?? null, pageSize: pageSize || DEFAULT_PAGE_SIZE };
}

/** Reads `order_by` (https://google.aip.dev/132#ordering). Words may have any spaces between them. */
function parseOrder(text: string): Parsed<{ readonly order: UserOrder; readonly descending: boolean }> {
  const [name = 'create_time', direction = 'asc', ...more] = text.split(' ').filter((word) => word !== '');
  const order = USER_ORDERS.find((known) => known === name);
  if (order === undefined || (direction !== 'asc' && direction !== 'desc') || more.length > 0) {
    return rejected(`must be ${USER_ORDERS.join(', ')}, perhaps with \` desc\` behind it`);
  }
  return accepted({ order, descending: direction === 'desc' });
}
