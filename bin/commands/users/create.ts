import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { CreateUserResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { words } from './user-filter.ts';
import { userTable } from './user-table.ts';
import { withUsers } from './with-users.ts';

const HELP = `Usage: optix users create --email <address> [options]

Adds a user. Scope: users.write; for the role admin users.admin too.

  --email E             e-mail address
  --first-name TEXT, --last-name TEXT
  --phone P             E.164, such as +4915112345678
  --roles A,B           any of admin, premium, user, trial (user)
  --verified            the address is known to be the user's
  --password-stdin      read the password from standard input; without, there is none until it is reset
  --actor A             who asked for it, for the audit log
${IDENTITY_FLAGS_HELP}

  optix users create --email ada@example.com --first-name Ada --last-name Lovelace
  optix users create --email ops@example.com --roles admin --password-stdin < password.txt`;

const TEXT = { type: 'string' } as const;
const OPTIONS = {
  ...CONNECTION_FLAGS,
  email: TEXT,
  'first-name': TEXT,
  'last-name': TEXT,
  phone: TEXT,
  roles: TEXT,
  verified: { type: 'boolean' },
  'password-stdin': { type: 'boolean' },
  actor: TEXT,
} as const;

/** `optix users create`: adds a user. */
export async function createUser(args: string[]): Promise<number> {
  const read = readArguments({ name: 'users create', help: HELP, options: OPTIONS }, args);
  if (read === undefined) return EXIT.DONE;
  const { values: flags } = read;
  const { email, phone = '', actor = '' } = flags;
  if (email === undefined) throw new UsageError('users create: --email must be given');
  const request = {
    email,
    phone,
    actor,
    // Not by a flag: every user of the machine can read those.
    password: flags['password-stdin'] ? await passwordFromInput() : '',
    firstName: flags['first-name'] ?? '',
    lastName: flags['last-name'] ?? '',
    roles: words(flags.roles),
    emailVerified: flags.verified ?? false,
    requestId: randomUUID(),
  };
  const answer = await withUsers(flags, (users) => users.createUser(request));
  if (flags.json) printJson(messageJson(CreateUserResponseSchema, answer));
  else if (answer.user !== undefined) console.log(userTable([answer.user]));
  return EXIT.DONE;
}

async function passwordFromInput(): Promise<string> {
  const password = (await text(process.stdin)).replace(/\r?\n$/, '');
  if (password === '') throw new Error('standard input must hold the password');
  return password;
}
