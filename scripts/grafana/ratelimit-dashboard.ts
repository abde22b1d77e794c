import { CHOSEN, type Dashboard } from './dashboard.ts';
import { calls, node, redisServer, stores } from './shared-rows.ts';

const DECISIONS = `optix_ratelimit_decisions_total{${CHOSEN}`;
const EACH = '[$__rate_interval]';

/** What ratelimit decides, and how Redis serves it. */
export const ratelimitDashboard: Dashboard = {
  uid: 'optix-ratelimit',
  title: 'optix: ratelimit',
  description: 'Decisions, Redis, fallback, the most limited keys.',
  ownMetric: 'optix_ratelimit_replicas',
  rows: [
    {
      title: 'At a glance',
      panels: [
        {
          title: 'Checks a second',
          unit: 'reqps',
          kind: 'stat',
          width: 4,
          queries: [[`sum(rate(${DECISIONS}}${EACH}))`, 'checks']],
        },
        {
          title: 'Denied (429)',
          unit: 'percentunit',
          kind: 'stat',
          width: 4,
          queries: [
            [
              `sum(rate(${DECISIONS},outcome="denied"}${EACH})) / sum(rate(${DECISIONS},outcome=~"allowed|denied"}${EACH}))`,
              'denied',
            ],
          ],
        },
        {
          title: 'Passed by a role',
          unit: 'percentunit',
          kind: 'stat',
          width: 4,
          queries: [
            [
              `sum(rate(${DECISIONS},outcome="bypassed"}${EACH})) / sum(rate(${DECISIONS}}${EACH}))`,
              'bypassed',
            ],
          ],
        },
        {
          title: 'Processes without Redis',
          unit: 'short',
          kind: 'stat',
          width: 4,
          queries: [[`sum(max by (instance) (optix_ratelimit_fallback{${CHOSEN}}))`, 'fallback']],
        },
        {
          title: 'Replicas, as they know each other',
          unit: 'short',
          kind: 'stat',
          width: 4,
          queries: [[`max(optix_ratelimit_replicas{${CHOSEN}})`, 'replicas']],
        },
        {
          title: 'Rules in force',
          unit: 'short',
          kind: 'stat',
          width: 4,
          queries: [[`max by (origin) (optix_ratelimit_rules{${CHOSEN}})`, '{{origin}}']],
        },
      ],
    },
    {
      title: 'Decisions',
      panels: [
        {
          title: 'By outcome',
          unit: 'reqps',
          queries: [[`sum by (outcome) (rate(${DECISIONS}}${EACH}))`, '{{outcome}}']],
        },
        {
          title: 'By rule',
          unit: 'reqps',
          queries: [[`sum by (rule) (rate(${DECISIONS}}${EACH}))`, '{{rule}}']],
        },
        {
          title: 'Where answers come from',
          description: 'Redis, or the memory of denials; fallback_* only while Redis is away.',
          unit: 'reqps',
          queries: [[`sum by (source) (rate(${DECISIONS}}${EACH}))`, '{{source}}']],
        },
        {
          title: 'Denied (429), by rule',
          unit: 'percentunit',
          queries: [
            [
              `sum by (rule) (rate(${DECISIONS},outcome="denied"}${EACH})) / sum by (rule) (rate(${DECISIONS},outcome=~"allowed|denied"}${EACH}))`,
              '{{rule}}',
            ],
          ],
        },
        {
          title: 'Passed by a role, by rule',
          unit: 'reqps',
          queries: [[`sum by (rule) (rate(${DECISIONS},outcome="bypassed"}${EACH}))`, '{{rule}}']],
        },
        {
          title: 'What shadow limits would have denied',
          unit: 'reqps',
          queries: [
            [`sum by (rule) (rate(optix_ratelimit_shadow_denials_total{${CHOSEN}}${EACH}))`, '{{rule}}'],
          ],
        },
        {
          title: 'Most limited keys of late',
          description:
            'As each process knows them, chosen anew every five minutes. `optix top` has all replicas together.',
          unit: 'short',
          kind: 'table',
          width: 24,
          queries: [
            [
              `topk(25, sum by (endpoint, identifier) (optix_ratelimit_top_denied_checks{${CHOSEN}}))`,
              '{{endpoint}} {{identifier}}',
            ],
          ],
        },
      ],
    },
    {
      title: 'Redis, as ratelimit meets it',
      panels: [
        {
          title: 'Round trip, p50 and p99',
          description: 'At REDIS_TIMEOUT_MS (50 ms) the rule’s failure policy answers.',
          unit: 's',
          queries: [0.5, 0.99].map((quantile) => [
            `histogram_quantile(${quantile}, sum by (script, le) (rate(optix_ratelimit_redis_duration_seconds_bucket{${CHOSEN}}${EACH})))`,
            `p${quantile * 100} {{script}}`,
          ]),
        },
        {
          title: 'Round trips',
          unit: 'ops',
          queries: [
            [
              `sum by (script) (rate(optix_ratelimit_redis_duration_seconds_count{${CHOSEN}}${EACH}))`,
              '{{script}}',
            ],
          ],
        },
        {
          title: 'Round trips that failed',
          unit: 'ops',
          queries: [
            [`sum by (reason) (rate(optix_ratelimit_redis_errors_total{${CHOSEN}}${EACH}))`, '{{reason}}'],
          ],
        },
        {
          title: 'Without Redis',
          description: '1: rules answer by their failure policies.',
          unit: 'short',
          queries: [
            [`max by (instance, shard) (optix_ratelimit_fallback{${CHOSEN}})`, '{{instance}} {{shard}}'],
          ],
        },
        {
          title: 'Lost and found again',
          unit: 'short',
          queries: [
            [
              `sum by (state) (increase(optix_ratelimit_fallback_changes_total{${CHOSEN}}${EACH}))`,
              '{{state}}',
            ],
          ],
        },
        {
          title: 'Checks in a round trip, and denied keys remembered',
          unit: 'short',
          queries: [
            [
              `sum(rate(optix_ratelimit_batched_checks_sum{${CHOSEN}}${EACH})) / sum(rate(optix_ratelimit_batched_checks_count{${CHOSEN}}${EACH}))`,
              'checks in a round trip',
            ],
            [`sum(optix_ratelimit_denial_cache_keys{${CHOSEN}})`, 'denied keys'],
          ],
        },
        {
          title: 'Rules files refused',
          unit: 'short',
          width: 24,
          queries: [
            [
              `sum by (instance) (increase(optix_ratelimit_rules_load_failures_total{${CHOSEN}}${EACH}))`,
              '{{instance}}',
            ],
          ],
        },
      ],
    },
    calls,
    stores,
    redisServer,
    node,
  ],
};
