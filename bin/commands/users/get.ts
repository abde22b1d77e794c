import { GetUserResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { userDetails } from './user-table.ts';
import { withUsers } from './with-users.ts';

const HELP = `Usage: optix users get <user> [options]

Shows one user. <user> is an id or an e-mail address; deleted users are found by id only. Scope: users.read.

  --id ID               instead of <user>
  --email E             instead of <user>
${IDENTITY_FLAGS_HELP}

  optix users get ada@example.com
  optix users get 0192f0c1-3b5e-7a00-8000-000000000001 --json | jq .user.status`;

const TEXT = { type: 'string' } as const;

/** `optix users get`: one user. */
export async function getUser(args: string[]): Promise<number> {
  const options = { ...CONNECTION_FLAGS, id: TEXT, email: TEXT } as const;
  const form = { name: 'users get', help: HELP, options, optionalPositionals: ['user'] };
  const read = readArguments(form, args);
  if (read === undefined) return EXIT.DONE;
  const {
    values: flags,
    positionals: [user],
  } = read;
  const given = [user, flags.id, flags.email].filter((each) => each !== undefined && each !== '');
  if (given.length !== 1) {
    throw new UsageError('users get: <user> must be given, once; see optix users get --help');
  }
  const isEmail = flags.email !== undefined || user?.includes('@');
  const [which = ''] = given;
  const request = isEmail ? { email: which } : { id: which, showDeleted: true };
  const answer = await withUsers(flags, (users) => users.getUser(request));
  if (flags.json) printJson(messageJson(GetUserResponseSchema, answer));
  else if (answer.user !== undefined) console.log(userDetails(answer.user));
  return EXIT.DONE;
}
