import { create } from '@bufbuild/protobuf';
import { ListUsersResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { User } from '../../../gen/optix/identity/v1/user_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { FILTER_HELP, FILTER_OPTIONS, userFilter } from './user-filter.ts';
import { userTable } from './user-table.ts';
import { withUsers } from './with-users.ts';

const HELP = `Usage: optix users list [options]

Shows users, oldest first. What is given must all hold. Scope: users.read. optix users export streams all there are.

${FILTER_HELP}
  --order-by FIELD      create_time, email or last_name; "email desc" the other way round
  --limit N             so many at most, 1 to 100000 (1000)
${IDENTITY_FLAGS_HELP}

  optix users list
  optix users list --prefix ada --status active,suspended
  optix users list --roles admin --order-by email --json | jq -r '.users[].email'`;

/** Users a call, at most. */
const PAGE_SIZE = 1000;
const TEXT = { type: 'string' } as const;
const OPTIONS = { ...CONNECTION_FLAGS, ...FILTER_OPTIONS, 'order-by': TEXT, limit: TEXT } as const;

/** `optix users list`: users by what they must be. */
export async function listUsers(args: string[]): Promise<number> {
  const read = readArguments({ name: 'users list', help: HELP, options: OPTIONS }, args);
  if (read === undefined) return EXIT.DONE;
  const { values: flags } = read;
  const limit = limitOf(flags.limit);
  const request = {
    filter: userFilter('users list', flags),
    orderBy: flags['order-by'] ?? '',
    showDeleted: flags.deleted ?? false,
  };
  const users: User[] = [];
  let pageToken = '';
  await withUsers(flags, async (client) => {
    do {
      const pageSize = Math.min(PAGE_SIZE, limit - users.length);
      const page = await client.listUsers({ ...request, pageSize, pageToken });
      users.push(...page.users);
      pageToken = page.nextPageToken;
    } while (pageToken !== '' && users.length < limit);
  });
  if (flags.json) {
    const all = create(ListUsersResponseSchema, { users, nextPageToken: pageToken });
    printJson(messageJson(ListUsersResponseSchema, all));
  } else console.log(users.length === 0 ? 'no users' : userTable(users));
  if (pageToken !== '') {
    console.error(`there are more than these ${users.length}: --limit, --prefix, or optix users export`);
  }
  return EXIT.DONE;
}

function limitOf(text = '1000'): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (limit >= 1 && limit <= 100_000) return limit;
  throw new UsageError(`users list: --limit must be a number from 1 to 100000, not "${text}"`);
}
