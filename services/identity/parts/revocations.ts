import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from '../../../runtime/logger.ts';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { COMMITTED_IS_ENFORCED, type RevocationBarrier } from '../domain/revocation.ts';
import { type FeedRead, RevocationFeed } from '../domain/revocation-feed.ts';
import { RevocationWatch } from '../domain/revocation-watch.ts';
import { addRevocationMetrics } from '../metrics/revocation-metrics.ts';
import { ActiveSessionsCache } from '../storage/active-sessions-cache.ts';
import { RevocationLog } from '../storage/revocation-log.ts';

/** What keeps this process up to date on what was revoked. */
export interface RevocationParts {
  /** Active sessions in Redis; null where there is none, or a cluster, and everything is asked of the database. */
  readonly cache: ActiveSessionsCache | null;
  /** Makes every replica refuse what was revoked. */
  readonly barrier: RevocationBarrier;
  readonly watch: RevocationWatch;
  /** Begins to read what was revoked. */
  start(onKeyRevoked: (kid: string) => void): void;
}

/** Connects to Redis, where there is one, in the background. */
export function openRevocations(
  em: EntityManager,
  redis: RedisTarget | undefined,
  metrics: Metrics,
  resources: AsyncDisposableStack,
  logger: Logger,
): RevocationParts {
  const cached = redis !== undefined && redis.mode !== 'cluster';
  if (redis?.mode === 'cluster') {
    logger.warn('active sessions are not kept in a Redis cluster: the database is asked of each token');
  }
  const cache = cached ? resources.use(new ActiveSessionsCache({ target: redis })) : null;
  const log = new RevocationLog(em);
  const watch = new RevocationWatch(log, () => new Date());
  return {
    cache,
    barrier: cache ?? COMMITTED_IS_ENFORCED,
    watch,
    start: (onKeyRevoked) => {
      const keys = ({ revocations }: FeedRead) => {
        for (const revocation of revocations) {
          if (revocation.kind === 'key') onKeyRevoked(revocation.keyId);
        }
      };
      const feed = resources.use(
        new RevocationFeed({
          log,
          // Redis last: the others need not wait for it.
          listeners: [keys, watch.listen, ...(cache === null ? [] : [(read: FeedRead) => cache.renew(read)])],
          onFailure: (error) => logger.warn({ err: error }, 'revocations can not be read'),
        }),
      );
      addRevocationMetrics(metrics, feed);
    },
  };
}
