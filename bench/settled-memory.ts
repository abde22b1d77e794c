import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';

const POLL_MS = 250;
const TRIES = 120;

/** What Redis has allocated, in bytes, once it changes no more: it frees and rehashes in the background. */
export async function untilSettled(redis: Redis): Promise<number> {
  let before = await usedMemory(redis);
  for (let tries = 0; tries < TRIES; tries += 1) {
    await sleep(POLL_MS);
    const now = await usedMemory(redis);
    if (Math.abs(now - before) < 10_000) return now;
    before = now;
  }
  throw new Error('the memory that Redis uses does not settle');
}

async function usedMemory(redis: Redis): Promise<number> {
  const [, bytes] = /^used_memory:(\d+)/m.exec(await redis.info('memory')) ?? [];
  return Number(bytes);
}
