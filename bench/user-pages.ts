import { fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  ListUsersRequestSchema,
  ListUsersResponseSchema,
} from '../gen/optix/identity/v1/identity_service_pb.ts';
import { encoded } from './encoded.ts';
import type { RawClient } from './raw-client.ts';

const LIST_USERS = '/optix.identity.v1.IdentityService/ListUsers';
/** The most that ListUsers gives. */
const MAX_PAGE = 1000;

/** Which users are listed, and in which order. */
export type Listing = Pick<MessageInitShape<typeof ListUsersRequestSchema>, 'filter' | 'orderBy'>;

/** Asks for a page; returns how many users it has and where the next one begins. */
export async function listUsers(client: RawClient, body: string): Promise<{ count: number; next: string }> {
  const { users, nextPageToken } = fromBinary(ListUsersResponseSchema, await client.call(LIST_USERS, body));
  return { count: users.length, next: nextPageToken };
}

/** Requests for the first and for the last page of a list, of `size` users each. */
export interface FirstAndLastPage {
  readonly first: string;
  readonly last: string;
}

/**
 * Walks through a whole list, as the last page's token is known to those only who have the one before.
 *
 * @param total users that the list has, at least twice `size`
 * @throws Error where the list is not that long
 */
export async function walkToLastPage(
  client: RawClient,
  listing: Listing,
  { total, size }: { readonly total: number; readonly size: number },
): Promise<FirstAndLastPage> {
  const request = (pageToken: string, pageSize: number) =>
    encoded(ListUsersRequestSchema, { ...listing, pageToken, pageSize });
  let seen = 0;
  let token = '';
  while (seen < total - size) {
    const { count, next } = await listUsers(client, request(token, Math.min(MAX_PAGE, total - size - seen)));
    if (next === '') throw new Error(`a list of ${total} users ends after ${seen + count}`);
    seen += count;
    token = next;
  }
  const last = request(token, size);
  const { count, next } = await listUsers(client, last);
  if (count !== size || next !== '')
    throw new Error(`a list of ${total} users goes on after ${seen + count}`);
  return { first: request('', size), last };
}
