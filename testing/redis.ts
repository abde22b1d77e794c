import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';

let url: string | undefined;

/**
 * URL of a Redis database that no other test file uses, empty at first. The same one for all calls in a file; FLUSHDB
 * empties it. (FLUSHALL and SCRIPT FLUSH would reach the other files'.)
 */
export function testRedisUrl(): string {
  url ??= `${inject('redisUrl')}/${claimDatabase(inject('redisClaims'))}`;
  return url;
}

/** Making a directory either succeeds or finds it made: of the files that run at once, one gets the number. */
function claimDatabase(claims: string): number {
  for (let database = 1; ; database++) {
    try {
      mkdirSync(join(claims, String(database)));
      return database;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
