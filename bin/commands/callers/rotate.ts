import { randomUUID } from 'node:crypto';
import { parseFlags, UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS, withCallerService } from './connect.ts';
import { showNewKey } from './show.ts';
import { timeSpan } from './time-span.ts';

/** `optix callers rotate`: makes the key that follows another one. */
export async function rotateCallerKeyCommand(args: string[]): Promise<number> {
  const flags = parseFlags(args, {
    ...CONNECTION_FLAGS,
    id: { type: 'string' },
    overlap: { type: 'string' },
    ttl: { type: 'string' },
  });
  const { id } = flags;
  if (id === undefined) throw new UsageError('callers rotate: --id must be given');
  const overlap = timeSpan('--overlap', flags.overlap);
  const ttl = timeSpan('--ttl', flags.ttl);
  const { callerKey, key } = await withCallerService(flags, (client) =>
    client.rotateCallerKey({
      id,
      requestId: randomUUID(),
      ...(overlap === undefined ? {} : { overlap }),
      ...(ttl === undefined ? {} : { expiration: { case: 'ttl', value: ttl } }),
    }),
  );
  showNewKey(callerKey, key);
  return 0;
}
