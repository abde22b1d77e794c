import { findRedis } from '../stack/redis-server.ts';
import { ensurePackage } from './ensure-package.ts';

/** Sees to it that the tests have a Redis server, as {@link ensurePackage} does. */
export function ensureRedis(): Promise<string> {
  return ensurePackage({
    needed: 'redis-server or valkey-server on PATH',
    find: findRedis,
    debian: 'redis-server',
    commands: {
      darwin: 'brew install redis',
      dnf: 'sudo dnf install -y valkey',
      apk: 'apk add redis',
    },
  });
}
