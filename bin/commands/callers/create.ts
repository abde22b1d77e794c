import { randomUUID } from 'node:crypto';
import { CreateCallerKeyResponseSchema } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { CALLERS_HELP, CONNECTION_FLAGS, withCallerService } from './connect.ts';
import { printNewKey } from './print-new-key.ts';
import { timeSpan } from './time-span.ts';

const HELP = `Usage: optix callers create --service <name> --name <caller> --scopes A,B [options]

Makes an API key. It stands alone on standard output, there and nowhere else.

  --name NAME           the caller that the key stands for
  --scopes A,B          what it may do (docs/callers.md)
  --ttl 90d             when it ends (s, m, h, d); never, if not given
${CALLERS_HELP}

  optix callers create --service ratelimit --name gateway --scopes limits.check --ttl 90d
  KEY=$(optix callers create --service identity --name console --scopes users.read,users.admin)`;

const TEXT = { type: 'string' } as const;
const OPTIONS = { ...CONNECTION_FLAGS, name: TEXT, scopes: TEXT, ttl: TEXT } as const;

/** `optix callers create`: makes an API key. */
export async function createCallerKeyCommand(args: string[]): Promise<number> {
  const read = readArguments({ name: 'callers create', help: HELP, options: OPTIONS }, args);
  if (read === undefined) return EXIT.DONE;
  const { name, scopes, ttl: span, json, ...connection } = read.values;
  if (name === undefined || scopes === undefined) {
    throw new UsageError(
      'callers create: --name and --scopes must be given; see optix callers create --help',
    );
  }
  const ttl = timeSpan('--ttl', span);
  const answer = await withCallerService(connection, (client) =>
    client.createCallerKey({
      name,
      scopes: scopes.split(',').map((scope) => scope.trim()),
      requestId: randomUUID(),
      ...(ttl === undefined ? {} : { expiration: { case: 'ttl', value: ttl } }),
    }),
  );
  printNewKey(CreateCallerKeyResponseSchema, answer, json);
  return EXIT.DONE;
}
