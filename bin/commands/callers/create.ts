import { randomUUID } from 'node:crypto';
import { parseFlags, UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS, withCallerService } from './connect.ts';
import { showNewKey } from './show.ts';
import { timeSpan } from './time-span.ts';

/** `optix callers create`: makes an API key. */
export async function createCallerKeyCommand(args: string[]): Promise<number> {
  const flags = parseFlags(args, {
    ...CONNECTION_FLAGS,
    name: { type: 'string' },
    scopes: { type: 'string' },
    ttl: { type: 'string' },
  });
  const { name, scopes } = flags;
  if (name === undefined || scopes === undefined) {
    throw new UsageError('callers create: --name and --scopes must be given');
  }
  const ttl = timeSpan('--ttl', flags.ttl);
  const { callerKey, key } = await withCallerService(flags, (client) =>
    client.createCallerKey({
      name,
      scopes: scopes.split(',').map((scope) => scope.trim()),
      requestId: randomUUID(),
      ...(ttl === undefined ? {} : { expiration: { case: 'ttl', value: ttl } }),
    }),
  );
  showNewKey(callerKey, key);
  return 0;
}
