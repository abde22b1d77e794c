import { parseFlags } from '../../usage.ts';
import { CONNECTION_FLAGS, withCallerService } from './connect.ts';
import { keyLine } from './show.ts';

/** `optix callers list`: a line for each key. */
export async function listCallerKeysCommand(args: string[]): Promise<number> {
  const flags = parseFlags(args, CONNECTION_FLAGS);
  await withCallerService(flags, async (client) => {
    let pageToken = '';
    do {
      const { callerKeys, nextPageToken } = await client.listCallerKeys({ pageToken });
      for (const key of callerKeys) console.log(keyLine(key));
      pageToken = nextPageToken;
    } while (pageToken !== '');
  });
  return 0;
}
