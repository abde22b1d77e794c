import { setTimeout as sleep } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/postgresql';

/**
 * Closes a pool. Waits for connections in use to come back, but not for ever: one to a server that hangs never does.
 *
 * @param withinMs the longest wait, in milliseconds
 * @returns whether all of them were closed by then
 */
export async function closeOrm(orm: MikroORM, withinMs: number): Promise<boolean> {
  const closed = orm.close().then(() => true);
  return await Promise.race([closed, sleep(withinMs, false, { ref: false })]);
}
