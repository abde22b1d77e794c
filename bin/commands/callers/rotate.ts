import { randomUUID } from 'node:crypto';
import { RotateCallerKeyResponseSchema } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CALLERS_HELP, CONNECTION_FLAGS, withCallerService } from './connect.ts';
import { readKeyId } from './key-id.ts';
import { printNewKey } from './print-new-key.ts';
import { timeSpan } from './time-span.ts';

const HELP = `Usage: optix callers rotate <id> --service <name> [options]

Makes the API key that follows another one, with the same name and scopes. It stands alone on standard output, there and
nowhere else.

  --id ID               instead of <id>
  --overlap 1d          how long the other one stays good, at most 30d (1d)
  --ttl 90d             when the new one ends; as long as the other one was made to, if not given
${CALLERS_HELP}

  optix callers rotate 0192f0c1-3b5e-7a00-8000-000000000001 --service ratelimit --overlap 12h`;

const TEXT = { type: 'string' } as const;
const OPTIONS = { ...CONNECTION_FLAGS, id: TEXT, overlap: TEXT, ttl: TEXT } as const;

/** `optix callers rotate`: makes the key that follows another one. */
export async function rotateCallerKeyCommand(args: string[]): Promise<number> {
  const form = { name: 'callers rotate', help: HELP, options: OPTIONS, optionalPositionals: ['id'] };
  const read = readArguments(form, args);
  if (read === undefined) return EXIT.DONE;
  const { id: flag, overlap: overlapText, ttl: ttlText, json, ...connection } = read.values;
  const id = readKeyId('callers rotate', read.positionals[0], flag);
  const overlap = timeSpan('--overlap', overlapText);
  const ttl = timeSpan('--ttl', ttlText);
  const answer = await withCallerService(connection, (client) =>
    client.rotateCallerKey({
      id,
      requestId: randomUUID(),
      ...(overlap === undefined ? {} : { overlap }),
      ...(ttl === undefined ? {} : { expiration: { case: 'ttl', value: ttl } }),
    }),
  );
  printNewKey(RotateCallerKeyResponseSchema, answer, json);
  return EXIT.DONE;
}
