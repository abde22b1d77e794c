import { parseFlags, UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS, withCallerService } from './connect.ts';
import { keyLine } from './show.ts';

/** `optix callers revoke`: ends a key. */
export async function revokeCallerKeyCommand(args: string[]): Promise<number> {
  const flags = parseFlags(args, { ...CONNECTION_FLAGS, id: { type: 'string' } });
  const { id } = flags;
  if (id === undefined) throw new UsageError('callers revoke: --id must be given');
  const { callerKey } = await withCallerService(flags, (client) => client.revokeCallerKey({ id }));
  if (callerKey !== undefined) console.log(keyLine(callerKey));
  return 0;
}
