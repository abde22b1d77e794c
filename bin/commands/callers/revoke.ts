import { RevokeCallerKeyResponseSchema } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CALLERS_HELP, CONNECTION_FLAGS, withCallerService } from './connect.ts';
import { readKeyId } from './key-id.ts';
import { keyTable } from './key-table.ts';

const HELP = `Usage: optix callers revoke <id> --service <name> [options]

Ends an API key: at once on the process that is asked, within a second on the others.

  --id ID               instead of <id>
${CALLERS_HELP}

  optix callers revoke 0192f0c1-3b5e-7a00-8000-000000000001 --service ratelimit`;

/** `optix callers revoke`: ends a key. */
export async function revokeCallerKeyCommand(args: string[]): Promise<number> {
  const options = { ...CONNECTION_FLAGS, id: { type: 'string' } } as const;
  const form = { name: 'callers revoke', help: HELP, options, optionalPositionals: ['id'] };
  const read = readArguments(form, args);
  if (read === undefined) return EXIT.DONE;
  const { id: flag, json, ...connection } = read.values;
  const id = readKeyId('callers revoke', read.positionals[0], flag);
  const answer = await withCallerService(connection, (client) => client.revokeCallerKey({ id }));
  if (json) printJson(messageJson(RevokeCallerKeyResponseSchema, answer));
  else if (answer.callerKey !== undefined) console.log(keyTable([answer.callerKey]));
  return EXIT.DONE;
}
