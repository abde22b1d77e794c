import { randomUUID } from 'node:crypto';
import { PurgeUserResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { requireConsent } from '../../output/consent.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { CHANGE_HELP, CHANGE_OPTIONS } from './change-user.ts';
import { withUsers } from './with-users.ts';

const HELP = `Usage: optix users purge <id> --yes [options]

Erases a deleted user for good: the account, sessions, devices and tokens go, and the audit log's entries lose what tells about
the person. Can't be undone: on a terminal it asks, elsewhere --yes must be given. A deleted user is found by id only.
Scope: users.admin.

  --yes                 do not ask
${CHANGE_HELP.replace('<user>', '<id>')}
${IDENTITY_FLAGS_HELP}

  optix users purge 0192f0c1-3b5e-7a00-8000-000000000001 --actor ops --reason "asked for it" --yes`;

/** `optix users purge`: erases a deleted user. */
export async function purgeUser(args: string[]): Promise<number> {
  const options = { ...CHANGE_OPTIONS, yes: { type: 'boolean' } } as const;
  const form = { name: 'users purge', help: HELP, options, optionalPositionals: ['id'] };
  const read = readArguments(form, args);
  if (read === undefined) return EXIT.DONE;
  const {
    values: { id: flag, actor = '', reason = '', yes, json, ...connection },
    positionals: [positional],
  } = read;
  if (positional !== undefined && flag !== undefined) {
    throw new UsageError('users purge: <id> or --id, not both');
  }
  const id = positional ?? flag;
  if (!id) throw new UsageError('users purge: <id> must be given; see optix users purge --help');
  if (!yes) await requireConsent('users purge', `Erase ${id} for good?`);
  const request = { id, actor, reason, requestId: randomUUID() };
  const answer = await withUsers(connection, (users) => users.purgeUser(request));
  if (json) printJson(messageJson(PurgeUserResponseSchema, answer));
  else {
    const { sessions, securityEvents } = answer;
    console.log(`erased ${id}: ${sessions} sessions, and what ${securityEvents} events told of the person`);
  }
  return EXIT.DONE;
}
