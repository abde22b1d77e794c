import { randomUUID } from 'node:crypto';
import { SendEmailVerificationResponseSchema } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { timeText } from '../../output/time-text.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { readUser, USER_HELP } from './user-argument.ts';
import { withUsers } from './with-users.ts';

const HELP = `Usage: optix users verify-email <user> [options]

Mails a user once more the token that shows that the address is theirs; those before end. Scope: users.write.
${USER_HELP}

  --id ID               instead of <user>
${IDENTITY_FLAGS_HELP}

  optix users verify-email ada@example.com`;

/** `optix users verify-email`: mails a user the token for the address once more. */
export async function sendEmailVerification(args: string[]): Promise<number> {
  const name = 'users verify-email';
  const options = { ...CONNECTION_FLAGS, id: { type: 'string' } } as const;
  const read = readArguments({ name, help: HELP, options, optionalPositionals: ['user'] }, args);
  if (read === undefined) return EXIT.DONE;
  const {
    values: flags,
    positionals: [positional],
  } = read;
  const id = await readUser(name, { positional, id: flags.id }, flags);
  const answer = await withUsers(flags, (users) =>
    users.sendEmailVerification({ id, requestId: randomUUID() }),
  );
  if (flags.json) printJson(messageJson(SendEmailVerificationResponseSchema, answer));
  else console.log(`a mail is on its way; its token holds until ${timeText(answer.expireTime)}`);
  return EXIT.DONE;
}
