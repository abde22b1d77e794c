/**
 * A rate limiter on REDIS_URL that counts what docs/metrics.md lists of checks, or nothing with COUNTING=off. All else is the
 * service's own; it has no HTTP port and no callers. Prints its port.
 */
import { RateLimitService } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { startGrpcServer } from '../runtime/grpc-server.ts';
import { Health } from '../runtime/health.ts';
import { InFlight } from '../runtime/in-flight.ts';
import { createLogger } from '../runtime/logger.ts';
import { Metrics } from '../runtime/metrics/metrics.ts';
import { RpcMetrics } from '../runtime/metrics/rpc-metrics.ts';
import { Pipeline } from '../runtime/pipeline.ts';
import { singleRedis } from '../runtime/redis-target.ts';
import { epochMicros } from '../services/ratelimit/domain/clock.ts';
import { DecisionFeed } from '../services/ratelimit/domain/decision-feed.ts';
import { DecisionTail } from '../services/ratelimit/domain/decision-tail.ts';
import { DEFAULT_RULES } from '../services/ratelimit/domain/default-rules.ts';
import { DenialCache } from '../services/ratelimit/domain/denial-cache.ts';
import { Limiter } from '../services/ratelimit/domain/limiter.ts';
import { RuleSet } from '../services/ratelimit/domain/rule-set.ts';
import { TopKeys } from '../services/ratelimit/domain/top-keys.ts';
import { DecisionCounts } from '../services/ratelimit/metrics/decision-counts.ts';
import { RedisCallMetrics } from '../services/ratelimit/metrics/redis-call-metrics.ts';
import { rules, serviceTables } from '../services/ratelimit/router.ts';
import { GuardedStore } from '../services/ratelimit/storage/guarded-store.ts';
import { RedisStore } from '../services/ratelimit/storage/redis-store.ts';

const metrics = process.env['COUNTING'] === 'off' ? undefined : new Metrics();
const observer = metrics && new RedisCallMetrics(metrics);
const redis = new RedisStore({
  target: singleRedis(process.env['REDIS_URL'] ?? ''),
  budgetMs: 10_000,
  ...(observer === undefined ? {} : { observer }),
});
const store = new GuardedStore({ redis });
await store.untilClosed(5_000);
const ruleSet = new RuleSet(DEFAULT_RULES);
const denials = new DenialCache(epochMicros);
denials.on = true;
const limiter = new Limiter({
  rules: () => ruleSet,
  store,
  denials,
  enabled: true,
  observer: new DecisionFeed(new TopKeys(), new DecisionTail(), metrics && new DecisionCounts(metrics)),
});
const inFlight = new InFlight();
const pipeline = new Pipeline({
  domain: 'ratelimit.optix',
  logger: createLogger({ service: 'bench', level: 'fatal', debug: false }),
  accessLog: 'errors',
  access: undefined,
  rules,
  mapError: () => undefined,
  inFlight,
  ...(metrics === undefined ? {} : { metrics: new RpcMetrics(metrics, inFlight) }),
});
const [table] = serviceTables({ limiter } as Parameters<typeof serviceTables>[0]);
if (table?.service !== RateLimitService) throw new Error('the first table is not that of checks');
const { port } = await startGrpcServer({
  address: '127.0.0.1',
  port: 0,
  portEnv: '',
  services: [pipeline.wrap(table)],
  health: new Health([], []).grpc,
  maxMessageBytes: 1_048_576,
  keepaliveTimeMs: 60_000,
  keepaliveTimeoutMs: 20_000,
});
console.log(port);
