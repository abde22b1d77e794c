import type { DataDirectory } from './data-directory.ts';
import { endPostmaster } from './postmaster.ts';
import { endRedis } from './redis-server.ts';
import { endService } from './service-process.ts';

/** The services of the stack, in the order they are started in. */
export const SERVICES = ['ratelimit', 'identity'] as const;

/**
 * Ends what a run that was killed left running on this data: the services first, so that they don't miss their stores.
 * Returns each by name and process id.
 */
export async function endOrphans(data: DataDirectory): Promise<string[]> {
  const ended: string[] = [];
  const note = (name: string, pid: number | undefined) => {
    if (pid !== undefined) ended.push(`${name} (process ${pid})`);
  };
  for (const name of SERVICES.toReversed()) note(name, await endService(data, name));
  note('Redis', await endRedis(data.redis));
  note('PostgreSQL', await endPostmaster(data.postgres));
  return ended;
}
