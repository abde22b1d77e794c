import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import type { RedisServer } from '../../../stack/redis-server.ts';
import type { LimitState } from '../domain/limit-store.ts';
import { RedisStore, type RedisStoreOptions } from './redis-store.ts';
import { askFor, termOf } from './testing-terms.ts';

/** A plain connection to look into a server with. @param enableReadyCheck false: also while it reads its data */
export function inspect(url: string, enableReadyCheck = true): Redis & AsyncDisposable {
  const client = new Redis(url, { protocol: 2, enableReadyCheck });
  // The server may be killed by its test; what then fails is the command.
  client.on('error', () => undefined);
  return Object.assign(client, {
    [Symbol.asyncDispose]: async () => {
      client.disconnect();
    },
  });
}

/** Ends a server without its doing, also one that is stopped by a signal. */
export async function killRedis(server: RedisServer): Promise<void> {
  server.kill('SIGKILL');
  await server.exited;
  await server.stop();
}

/** A store on a target whose checks and probes work: with a budget that a busy test machine does not use up. */
export async function connectedStore(
  target: RedisTarget,
  options: Partial<RedisStoreOptions> = {},
): Promise<RedisStore> {
  const store = new RedisStore({ target, budgetMs: 1_000, ...options });
  await untilWell(store);
  return store;
}

/** Waits until a store can count on each of its lanes. @throws Error with the last reason after that time */
export async function untilWell(store: RedisStore, timeoutMs = 5_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      for (const lane of store.lanes()) {
        await store.prepare(lane);
        await store.ping(lane);
      }
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(5);
    }
  }
}

/** Asks one limit about one key: of `limit` a minute. */
export async function take(
  store: RedisStore,
  key: string,
  { cost = 1, limit = 5 }: { readonly cost?: number; readonly limit?: number } = {},
): Promise<LimitState> {
  const [state] = await store.decide(askFor([termOf('FAIL_OPEN', key, { cost, limit })]));
  return state as LimitState;
}
