import { randomUUID } from 'node:crypto';
import { UpdateUserResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { readUser, USER_HELP } from './user-argument.ts';
import { userTable } from './user-table.ts';
import { withUsers } from './with-users.ts';

const HELP = `Usage: optix users update <user> [options]

Changes a user's profile: what is given, and nothing else; an empty text takes a name or number away. A changed address is
unverified. Scope: users.write; for the address of an admin users.admin too.
${USER_HELP}

  --id ID               instead of <user>
  --email E             the new address
  --first-name TEXT, --last-name TEXT
  --phone P             E.164, such as +4915112345678
  --etag E              only if nobody changed the user since (users get)
  --actor A             who asked for it, for the audit log
${IDENTITY_FLAGS_HELP}

  optix users update ada@example.com --last-name King
  optix users update ada@example.com --phone "" --actor ops`;

const TEXT = { type: 'string' } as const;
const FIELDS = { email: TEXT, 'first-name': TEXT, 'last-name': TEXT, phone: TEXT } as const;
const OPTIONS = { ...CONNECTION_FLAGS, ...FIELDS, id: TEXT, etag: TEXT, actor: TEXT } as const;

/** `optix users update`: changes a user's profile. */
export async function updateUser(args: string[]): Promise<number> {
  const form = { name: 'users update', help: HELP, options: OPTIONS, optionalPositionals: ['user'] };
  const read = readArguments(form, args);
  if (read === undefined) return EXIT.DONE;
  const {
    values: flags,
    positionals: [positional],
  } = read;
  const given = (Object.keys(FIELDS) as (keyof typeof FIELDS)[]).filter((name) => flags[name] !== undefined);
  if (given.length === 0) {
    const names = Object.keys(FIELDS).map((name) => `--${name}`);
    throw new UsageError(`users update: one of ${names.join(', ')} must be given`);
  }
  const id = await readUser('users update', { positional, id: flags.id }, flags);
  const request = {
    user: {
      id,
      etag: flags.etag ?? '',
      email: flags.email ?? '',
      firstName: flags['first-name'] ?? '',
      lastName: flags['last-name'] ?? '',
      phone: flags.phone ?? '',
    },
    updateMask: { paths: given.map((name) => name.replace('-', '_')) },
    actor: flags.actor ?? '',
    requestId: randomUUID(),
  };
  const answer = await withUsers(flags, (users) => users.updateUser(request));
  if (flags.json) printJson(messageJson(UpdateUserResponseSchema, answer));
  else if (answer.user !== undefined) console.log(userTable([answer.user]));
  return EXIT.DONE;
}
