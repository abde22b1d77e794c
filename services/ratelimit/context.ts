import type { Logger } from '../../runtime/logger.ts';
import { StoreMonitor } from '../../runtime/store-monitor.ts';
import type { RateLimitConfig } from './config.ts';
import { DirectStore } from './domain/decision-store.ts';
import { DEFAULT_RULES } from './domain/default-rules.ts';
import { Limiter } from './domain/limiter.ts';
import { RuleSet } from './domain/rule-set.ts';
import { GuardedStore } from './storage/guarded-store.ts';
import { MemoryStore } from './storage/memory-store.ts';
import { RedisStore } from './storage/redis-store.ts';

/** How long a start waits for Redis before the service opens its ports without it. */
const START_WAIT_MS = 2000;

/** What the handlers work with. Disposing it closes the stores. */
export interface RateLimitContext extends AsyncDisposable {
  readonly limiter: Limiter;
  /** Stores to watch; none where counting is in memory. */
  readonly monitors: readonly StoreMonitor[];
  /** Whether checks can be answered: always, once Redis was reached for the first time. */
  readonly ready: () => boolean;
}

/** Builds the stores that the settings ask for. Waits a moment for Redis, but does not need it. */
export async function createContext(config: RateLimitConfig, logger: Logger): Promise<RateLimitContext> {
  await using resources = new AsyncDisposableStack();
  const local = resources.use(new MemoryStore());
  const rules = new RuleSet(DEFAULT_RULES);
  const { enabled, redisUrl } = config;
  if (redisUrl === undefined) {
    logger.warn('REDIS_URL is not set: counting in memory, by this process alone');
    const limiter = new Limiter({ rules, store: new DirectStore(local), enabled });
    return owning(resources.move(), { limiter, monitors: [], ready: () => true });
  }

  const redis = resources.use(new RedisStore({ url: redisUrl, budgetMs: config.redisTimeoutMs }));
  let reached = false;
  const guarded = resources.use(
    new GuardedStore({
      redis,
      local,
      onChange({ state, reason }) {
        if (state === 'CLOSED') logger.info({ reason }, 'counting in Redis');
        else logger.error({ reason }, 'Redis is away: answering by the rules’ failure policies');
      },
      onKeyUnusable: (error) => logger.error({ err: error }, 'a key in Redis can not be used for counting'),
    }),
  );
  const monitor = resources.use(
    new StoreMonitor({
      name: 'redis',
      // Not a mere PING: a Redis that is a replica, or full, answers that and counts nothing.
      probe: async () => {
        if ((await guarded.probe()) === 'OPEN') throw new Error(guarded.reason);
      },
      facts: () => ({ breaker: guarded.state }),
      // Here and not by the breaker: health is told anew after a change of this monitor.
      onChange: ({ up }) => {
        reached ||= up;
      },
    }),
  );
  await Promise.all([guarded.untilClosed(START_WAIT_MS), monitor.untilUp(START_WAIT_MS)]);
  if (guarded.state === 'OPEN') logger.error({ reason: guarded.reason }, 'starting without Redis');
  const limiter = new Limiter({ rules, store: guarded, enabled });
  return owning(resources.move(), { limiter, monitors: [monitor], ready: () => reached });
}

function owning(
  resources: AsyncDisposableStack,
  context: Omit<RateLimitContext, keyof AsyncDisposable>,
): RateLimitContext {
  return { ...context, [Symbol.asyncDispose]: async () => await resources.disposeAsync() };
}
