import { randomUUID } from 'node:crypto';
import {
  CredentialService,
  ResetSecondFactorsResponseSchema,
} from '../../../gen/optix/identity/v1/credential_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { CHANGE_HELP, CHANGE_OPTIONS } from './change-user.ts';
import { readUser, USER_HELP } from './user-argument.ts';

const HELP = `Usage: optix users reset-factors <user> [options]

Removes all second factors, recovery codes and trusted devices of a user who has lost them, and ends the user's sessions. Make
sure who asks: from then on the password alone is enough. Scope: users.admin.
${USER_HELP}

${CHANGE_HELP}
${IDENTITY_FLAGS_HELP}

  optix users reset-factors ada@example.com --actor ops --reason "lost phone, seen in person"`;

/** `optix users reset-factors`: removes the second factors of a user who has lost them. */
export async function resetSecondFactors(args: string[]): Promise<number> {
  const name = 'users reset-factors';
  const form = { name, help: HELP, options: CHANGE_OPTIONS, optionalPositionals: ['user'] };
  const read = readArguments(form, args);
  if (read === undefined) return EXIT.DONE;
  const {
    values: { id, actor = '', reason = '', json, ...connection },
    positionals: [positional],
  } = read;
  const userId = await readUser(name, { positional, id }, connection);
  const request = { userId, actor, reason, requestId: randomUUID() };
  const answer = await callService(CredentialService, IDENTITY_ADDRESS, connection, (client) =>
    client.resetSecondFactors(request),
  );
  if (json) printJson(messageJson(ResetSecondFactorsResponseSchema, answer));
  else console.log(`second factors are removed; sessions that ended: ${answer.revokedSessions}`);
  return EXIT.DONE;
}
