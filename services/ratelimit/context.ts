import type { CallerKeyStore } from '../../runtime/callers/caller-key-store.ts';
import { InvalidFile } from '../../runtime/invalid-file.ts';
import { LogThrottle } from '../../runtime/log-throttle.ts';
import type { Logger } from '../../runtime/logger.ts';
import { Metrics } from '../../runtime/metrics/metrics.ts';
import { RedisMetrics } from '../../runtime/metrics/redis-metrics.ts';
import { tell } from '../../runtime/metrics/told-metric.ts';
import type { RedisTarget } from '../../runtime/redis-target.ts';
import { InvalidSettings } from '../../runtime/settings.ts';
import { StoreMonitor } from '../../runtime/store-monitor.ts';
import { type RateLimitConfig, settings } from './config.ts';
import { epochMicros } from './domain/clock.ts';
import { DecisionFeed } from './domain/decision-feed.ts';
import { DirectStore } from './domain/decision-store.ts';
import { DecisionTail } from './domain/decision-tail.ts';
import { DenialCache } from './domain/denial-cache.ts';
import { Limiter } from './domain/limiter.ts';
import type { RuleBook } from './domain/rule-book.ts';
import { TopKeys } from './domain/top-keys.ts';
import { TopLimited } from './domain/top-limited.ts';
import { DecisionCounts } from './metrics/decision-counts.ts';
import { FallbackMetrics } from './metrics/fallback-metrics.ts';
import { RedisCallMetrics } from './metrics/redis-call-metrics.ts';
import { rulesLoadFailures, tellRules } from './metrics/rule-metrics.ts';
import { TopDenied } from './metrics/top-denied.ts';
import { type Envoy, openEnvoy } from './open-envoy.ts';
import { RedisCallerKeyStore } from './storage/caller-key-store.ts';
import { CrossSlotStore } from './storage/cross-slot-store.ts';
import { GuardedStore } from './storage/guarded-store.ts';
import { keySlot } from './storage/key-slot.ts';
import { MemoryStore } from './storage/memory-store.ts';
import { openRuleBook } from './storage/open-rule-book.ts';
import { RedisStore } from './storage/redis-store.ts';
import { Replicas } from './storage/replicas.ts';
import { RoomChannel } from './storage/room-channel.ts';
import { TopShared } from './storage/top-shared.ts';

/** How long a start waits for Redis before the service opens its ports without it. */
const START_WAIT_MS = 2000;

/** What the handlers work with. Disposing it closes the stores. */
export interface RateLimitContext extends AsyncDisposable {
  readonly limiter: Limiter;
  readonly rules: RuleBook;
  readonly top: TopLimited;
  readonly tail: DecisionTail;
  /** Envoy's rate-limit API; undefined where it has no configuration. */
  readonly envoy: Envoy | undefined;
  readonly metrics: Metrics;
  /** Where the keys of callers are kept; undefined where there is no Redis. */
  readonly callerKeyStore: CallerKeyStore | undefined;
  /** Stores to watch; none where counting is in memory. */
  readonly monitors: readonly StoreMonitor[];
  /** Whether checks can be answered: always, once Redis was reached for the first time. */
  readonly ready: () => boolean;
}

/**
 * Builds the stores that the settings ask for. Waits a moment for Redis, but does not need it.
 *
 * @throws InvalidSettings where there is a rules file that can't be used
 */
export async function createContext(config: RateLimitConfig, logger: Logger): Promise<RateLimitContext> {
  await using resources = new AsyncDisposableStack();
  const tail = new DecisionTail();
  const keys = resources.use(new TopKeys());
  const metrics = new Metrics();
  const observer = new DecisionFeed(keys, tail, new DecisionCounts(metrics));
  const { enabled, redis: target } = config;
  // Both wait for Redis, at the same time.
  const [counting, rules] = await settled(
    target === undefined
      ? countInMemory(resources, logger)
      : countInRedis(target, config, metrics, resources, logger),
    openRules(config, metrics, resources, logger),
  );
  const limiter = new Limiter({ ...counting, rules: () => rules.current, enabled, observer });
  new TopDenied(metrics, { keys, size: config.metricsTopKeys });
  const { replicas, denials } = counting;
  tellGauge(metrics, 'optix_ratelimit_replicas', 'Processes that share the limits.', replicas);
  tellGauge(metrics, 'optix_ratelimit_denial_cache_keys', 'Denied keys that are remembered.', () => {
    return denials?.size ?? 0;
  });
  const envoy = await openEnvoy({
    config,
    limiter,
    rules: () => rules.current,
    metrics,
    resources,
    logger,
    onNotGivenBack: atMostEachSecond((error) =>
      logger.warn({ err: error }, 'hits that Envoy gives back stay until they run out'),
    ),
  });
  const top = new TopLimited(
    keys,
    target === undefined ? undefined : sharedTop(target, keys, resources, logger),
  );
  const callerKeyStore =
    target === undefined ? undefined : resources.use(new RedisCallerKeyStore({ target, logger }));
  const { monitors, ready } = counting;
  const owned = resources.move();
  return {
    limiter,
    rules,
    top,
    tail,
    envoy,
    metrics,
    callerKeyStore,
    monitors,
    ready,
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** What decides, and how it is watched. */
interface Counting extends Pick<RateLimitContext, 'monitors' | 'ready'> {
  readonly store: ConstructorParameters<typeof Limiter>[0]['store'];
  /** How many processes share the counts. */
  readonly replicas: () => number;
  readonly denials?: DenialCache;
  readonly onRoom?: (keys: readonly string[]) => void;
}

async function countInMemory(resources: AsyncDisposableStack, logger: Logger): Promise<Counting> {
  logger.warn(`${settings.redisUrl.env} is not set: counting in memory, by this process alone`);
  const memory = resources.use(new MemoryStore());
  return { store: new DirectStore(memory), replicas: () => 1, monitors: [], ready: () => true };
}

async function countInRedis(
  target: RedisTarget,
  config: RateLimitConfig,
  metrics: Metrics,
  resources: AsyncDisposableStack,
  logger: Logger,
): Promise<Counting> {
  const onRefused = (reason: string) =>
    logger.error({ reason }, 'Redis refuses what replicas tell each other by');
  const replicas = resources.use(
    new Replicas({ target, onRefused, ...(config.replicas === 0 ? {} : { fixed: config.replicas }) }),
  );
  const redis = resources.use(
    new RedisStore({
      target,
      budgetMs: config.redisTimeoutMs,
      onKeyUnusable: (error) => guarded.report(error),
      observer: new RedisCallMetrics(metrics),
    }),
  );
  const fallback = new FallbackMetrics(metrics, () => guarded);
  const guarded = resources.use(
    new GuardedStore({
      redis,
      processes: () => replicas.count,
      onChange(change) {
        fallback.changed(change);
        const { state, reason, lane } = change;
        const facts = lane === '' ? { reason } : { reason, shard: lane };
        if (state === 'CLOSED') logger.info(facts, 'counting in Redis');
        else logger.error(facts, 'Redis is away: answering by the rules’ failure policies');
      },
      onKeyUnusable: (error) => logger.error({ err: error }, 'a key in Redis can not be used for counting'),
    }),
  );
  let reached = false;
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
  const remembering = rememberDenials(target, config, resources, onRefused);
  resources.use(new RedisMetrics({ metrics, target, logger }));
  await Promise.all([guarded.untilClosed(START_WAIT_MS), monitor.untilUp(START_WAIT_MS)]);
  if (guarded.state === 'OPEN') logger.error({ reason: guarded.reason }, 'starting without Redis');
  const store =
    target.mode === 'cluster'
      ? new CrossSlotStore({
          store: guarded,
          slotOf: keySlot,
          onGivenBack: remembering.onRoom,
          onNotGivenBack: atMostEachSecond((error) =>
            logger.warn({ err: error }, 'units of a denied check stay until they run out'),
          ),
        })
      : guarded;
  return {
    ...{ store, ...remembering },
    replicas: () => replicas.count,
    monitors: [monitor],
    ready: () => reached,
  };
}

function rememberDenials(
  target: RedisTarget,
  { denialCacheKeys }: RateLimitConfig,
  resources: AsyncDisposableStack,
  onRefused: (reason: string) => void,
): { readonly onRoom: (keys: readonly string[]) => void; readonly denials?: DenialCache } {
  const denials = denialCacheKeys === 0 ? undefined : new DenialCache(epochMicros, denialCacheKeys);
  // Also without a cache of its own: other processes may have one.
  const channel = resources.use(
    new RoomChannel({
      target,
      onRoom: (keys) => denials?.forget(keys),
      onState: (listening) => {
        if (denials !== undefined) denials.on = listening;
      },
      onRefused,
    }),
  );
  const onRoom = (keys: readonly string[]) => channel.tell(keys);
  return denials === undefined ? { onRoom } : { denials, onRoom };
}

async function openRules(
  { rulesFile: file, rulesSnapshot: snapshot, redis: target }: RateLimitConfig,
  metrics: Metrics,
  resources: AsyncDisposableStack,
  logger: Logger,
): Promise<RuleBook> {
  const failures = rulesLoadFailures(metrics);
  const onFileRefused = () => failures.inc();
  try {
    const opened = await openRuleBook({
      ...{ file, target, snapshot, startWaitMs: START_WAIT_MS, logger, onFileRefused },
    });
    const { rules } = resources.use(opened);
    tellRules(metrics, rules);
    return rules;
  } catch (error) {
    if (!(error instanceof InvalidFile)) throw error;
    throw new InvalidSettings(error.problems.map((problem) => `${settings.rulesFile.env} ${problem}`));
  }
}

function sharedTop(
  target: RedisTarget,
  keys: TopKeys,
  resources: AsyncDisposableStack,
  logger: Logger,
): TopShared {
  const onFailure = (error: Error) =>
    logger.warn({ err: error }, 'the most limited keys are those of this process');
  return resources.use(new TopShared({ target, keys, onFailure }));
}

/** Both results. Where one fails the other is waited for all the same, so that whoever cleans up has it all. */
async function settled<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  const [first, second] = await Promise.allSettled([one, other]);
  if (first.status === 'rejected') throw first.reason;
  if (second.status === 'rejected') throw second.reason;
  return [first.value, second.value];
}

function tellGauge(metrics: Metrics, name: string, help: string, value: () => number): void {
  tell(metrics, { name, help, type: 'gauge', samples: () => [{ labels: {}, value: value() }] });
}

function atMostEachSecond<E>(log: (error: E) => void): (error: E) => void {
  const throttle = new LogThrottle(1000);
  return (error) => {
    if (throttle.pass() !== undefined) log(error);
  };
}
