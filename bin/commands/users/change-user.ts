import { randomUUID } from 'node:crypto';
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { User } from '../../../gen/optix/identity/v1/user_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import type { Action } from '../choose-action.ts';
import { IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { readUser, USER_HELP } from './user-argument.ts';
import { userTable } from './user-table.ts';
import { type Users, withUsers } from './with-users.ts';

/** Flags of each command that changes a user on somebody's behalf. */
export const CHANGE_OPTIONS = {
  ...CONNECTION_FLAGS,
  id: { type: 'string' },
  actor: { type: 'string' },
  reason: { type: 'string' },
} as const;

export const CHANGE_HELP = `  --id ID               instead of <user>
  --actor A, --reason R who asked for it and why, for the audit log`;

/** What a change of a user says. */
export interface Said {
  readonly id: string;
  readonly actor: string;
  readonly reason: string;
  readonly requestId: string;
}

export interface UserChange<D extends DescMessage> {
  /** `suspend` of `users suspend`. */
  readonly name: string;
  /** What it does, with the scope it needs. */
  readonly what: string;
  readonly examples: string;
  /** Of the answer, for `--json`. */
  readonly schema: D;
  readonly ask: (users: Users, said: Said) => Promise<MessageShape<D> & { readonly user?: User | undefined }>;
}

/** A command that changes one user and shows it as it is then. */
export function changeUser<D extends DescMessage>({
  name,
  what,
  examples,
  schema,
  ask,
}: UserChange<D>): Action {
  const command = `users ${name}`;
  const help = `Usage: optix ${command} <user> [options]

${what} Scope: users.admin.
${USER_HELP}

${CHANGE_HELP}
${IDENTITY_FLAGS_HELP}

${examples}`;
  return async (args) => {
    const form = { name: command, help, options: CHANGE_OPTIONS, optionalPositionals: ['user'] };
    const read = readArguments(form, args);
    if (read === undefined) return EXIT.DONE;
    const {
      values: { id, actor = '', reason = '', json, ...connection },
      positionals: [positional],
    } = read;
    const said = {
      id: await readUser(command, { positional, id }, connection),
      actor,
      reason,
      requestId: randomUUID(),
    };
    const answer = await withUsers(connection, (users) => ask(users, said));
    if (json) printJson(messageJson(schema, answer));
    else if (answer.user !== undefined) console.log(userTable([answer.user]));
    return EXIT.DONE;
  };
}
