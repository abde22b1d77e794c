import { randomUUID } from 'node:crypto';
import { UpdateUserRolesResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { CHANGE_HELP, CHANGE_OPTIONS } from './change-user.ts';
import { readUser, USER_HELP } from './user-argument.ts';
import { words } from './user-filter.ts';
import { userTable } from './user-table.ts';
import { withUsers } from './with-users.ts';

const HELP = `Usage: optix users roles <user> --roles A,B [options]

Replaces a user's roles. Access tokens with the old ones are revoked; sessions go on. Scope: users.admin.
${USER_HELP}

  --roles A,B           all the user is to have: any of admin, premium, user, trial
${CHANGE_HELP}
${IDENTITY_FLAGS_HELP}

  optix users roles ada@example.com --roles user,premium --actor ops`;

/** `optix users roles`: replaces a user's roles. */
export async function updateUserRoles(args: string[]): Promise<number> {
  const options = { ...CHANGE_OPTIONS, roles: { type: 'string' } } as const;
  const form = { name: 'users roles', help: HELP, options, optionalPositionals: ['user'] };
  const read = readArguments(form, args);
  if (read === undefined) return EXIT.DONE;
  const {
    values: { id, actor = '', reason = '', roles, json, ...connection },
    positionals: [positional],
  } = read;
  if (roles === undefined) throw new UsageError('users roles: --roles must be given');
  const request = {
    id: await readUser('users roles', { positional, id }, connection),
    roles: words(roles),
    actor,
    reason,
    requestId: randomUUID(),
  };
  const answer = await withUsers(connection, (users) => users.updateUserRoles(request));
  if (json) printJson(messageJson(UpdateUserRolesResponseSchema, answer));
  else if (answer.user !== undefined) console.log(userTable([answer.user]));
  return EXIT.DONE;
}
