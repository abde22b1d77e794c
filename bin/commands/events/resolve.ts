import {
  ResolveSecurityEventResponseSchema,
  SecurityEventService,
} from '../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { eventTable } from './event-table.ts';

const HELP = `Usage: optix events resolve <id> --by <who> [--note <text>] [options]

Notes what came of looking at an event. Once: a second resolution is refused.

  --by WHO              who looked: a user's id or an operator's name
  --note TEXT           what came of it, at most 512 bytes
${IDENTITY_FLAGS_HELP}

  optix events resolve 0192f0c1-3b5e-7a00-8000-000000000001 --by ops --note "a test of ours"`;

const TEXT = { type: 'string' } as const;

/** `optix events resolve`: notes what came of looking at an event. */
export async function resolveEvent(args: string[]): Promise<number> {
  const options = { ...CONNECTION_FLAGS, by: TEXT, note: TEXT } as const;
  const read = readArguments({ name: 'events resolve', help: HELP, options, positionals: ['id'] }, args);
  if (read === undefined) return EXIT.DONE;
  const {
    values: { by, note = '', ...flags },
    positionals: [id = ''],
  } = read;
  if (by === undefined) throw new UsageError('events resolve: --by must be given');
  const answer = await callService(SecurityEventService, IDENTITY_ADDRESS, flags, (client) =>
    client.resolveSecurityEvent({ id, resolvedBy: by, note }),
  );
  if (flags.json) printJson(messageJson(ResolveSecurityEventResponseSchema, answer));
  else if (answer.event !== undefined) console.log(eventTable([answer.event]));
  return EXIT.DONE;
}
