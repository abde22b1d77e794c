import { CHOSEN, type Dashboard, type Row } from './dashboard.ts';
import { calls, node, redisServer, stores } from './shared-rows.ts';

const EACH = '[$__rate_interval]';
const quantiles = (of: string, by: string, legend: string) =>
  [0.5, 0.99].map(
    (quantile) =>
      [
        `histogram_quantile(${quantile}, sum by (${by}) (rate(${of}_bucket{${CHOSEN}}${EACH})))`,
        `p${quantile * 100}${legend}`,
      ] as const,
  );

const signIns: Row = {
  title: 'Sign-ins',
  panels: [
    {
      title: 'Sign-ins by outcome',
      unit: 'reqps',
      queries: [[`sum by (outcome) (rate(optix_identity_sign_ins_total{${CHOSEN}}${EACH}))`, '{{outcome}}']],
    },
    {
      title: 'Registrations by outcome',
      unit: 'reqps',
      queries: [
        [`sum by (outcome) (rate(optix_identity_registrations_total{${CHOSEN}}${EACH}))`, '{{outcome}}'],
      ],
    },
    {
      title: 'Refreshes by outcome',
      description: 'reused: the session was ended, as its token may have been stolen.',
      unit: 'reqps',
      queries: [[`sum by (outcome) (rate(optix_identity_refreshes_total{${CHOSEN}}${EACH}))`, '{{outcome}}']],
    },
    {
      title: 'Passwords being hashed, and waiting',
      unit: 'short',
      queries: [
        [`sum(optix_identity_hashing_running{${CHOSEN}})`, 'running'],
        [`sum(optix_identity_hashing_waiting{${CHOSEN}})`, 'waiting'],
        [`sum(optix_identity_hashing_queue_limit{${CHOSEN}})`, 'most that may wait'],
      ],
    },
    {
      title: 'Time of a hash',
      unit: 's',
      queries: quantiles('optix_identity_hashing_duration_seconds', 'le', ''),
    },
    {
      title: 'Refused for a full queue',
      unit: 'reqps',
      queries: [
        [`sum by (instance) (rate(optix_identity_hashing_refused_total{${CHOSEN}}${EACH}))`, '{{instance}}'],
      ],
    },
  ],
};

const limiter: Row = {
  title: 'The rate limiter, as identity meets it',
  panels: [
    {
      title: 'Answers',
      description: 'unavailable: sign-ins are refused, unless RATELIMIT_ON_UNAVAILABLE is allow.',
      unit: 'reqps',
      width: 12,
      queries: [
        [
          `sum by (outcome) (rate(optix_identity_limiter_duration_seconds_count{${CHOSEN}}${EACH}))`,
          '{{outcome}}',
        ],
      ],
    },
    {
      title: 'Time to an answer',
      unit: 's',
      width: 12,
      queries: quantiles('optix_identity_limiter_duration_seconds', 'le', ''),
    },
  ],
};

const database: Row = {
  title: 'Database',
  panels: [
    {
      title: 'Connections',
      unit: 'short',
      queries: [
        [`sum by (pool, state) (optix_database_pool_connections{${CHOSEN}})`, '{{pool}} {{state}}'],
        [`sum by (pool) (optix_database_pool_max_connections{${CHOSEN}})`, '{{pool}} at most'],
      ],
    },
    {
      title: 'Calls that wait for one',
      unit: 'short',
      queries: [
        [`sum by (instance, pool) (optix_database_pool_waiting{${CHOSEN}})`, '{{pool}}, {{instance}}'],
      ],
    },
    {
      title: 'How long they wait',
      unit: 's',
      queries: quantiles('optix_database_pool_wait_seconds', 'pool, le', ' {{pool}}'),
    },
    {
      title: 'Time of statements, p99, the ten slowest families',
      unit: 's',
      queries: [
        [
          `topk(10, histogram_quantile(0.99, sum by (family, le) (rate(optix_database_query_duration_seconds_bucket{${CHOSEN}}${EACH}))))`,
          '{{family}}',
        ],
      ],
    },
    {
      title: 'Time of all statements, the ten families that take most',
      description: 'Seconds of the database a second.',
      unit: 'short',
      queries: [
        [
          `topk(10, sum by (family) (rate(optix_database_query_duration_seconds_sum{${CHOSEN}}${EACH})))`,
          '{{family}}',
        ],
      ],
    },
    {
      title: 'Statements',
      unit: 'ops',
      queries: [
        [
          `topk(10, sum by (family) (rate(optix_database_query_duration_seconds_count{${CHOSEN}}${EACH})))`,
          '{{family}}',
        ],
      ],
    },
    {
      title: 'Slow statements',
      unit: 'ops',
      queries: [
        [`sum by (family) (rate(optix_database_slow_queries_total{${CHOSEN}}${EACH}))`, '{{family}}'],
      ],
    },
    {
      title: 'Statements that failed',
      description:
        'By the class of SQLSTATE. 23 and 40 are part of normal work: a taken address, a conflict.',
      unit: 'ops',
      queries: [
        [
          `sum by (family, sqlstate) (rate(optix_database_query_errors_total{${CHOSEN}}${EACH}))`,
          '{{sqlstate}} {{family}}',
        ],
      ],
    },
    {
      title: 'Connections that failed',
      unit: 'ops',
      queries: [
        [
          `sum by (pool, reason) (rate(optix_database_connection_errors_total{${CHOSEN}}${EACH}))`,
          '{{pool}} {{reason}}',
        ],
      ],
    },
  ],
};

const background: Row = {
  title: 'In the background',
  panels: [
    {
      title: 'Revocations: how far behind',
      description: 'Beyond a second a replica believes Redis no more.',
      unit: 's',
      queries: [[`max by (instance) (optix_identity_revocation_lag_seconds{${CHOSEN}})`, '{{instance}}']],
    },
    {
      title: 'Reads of revocations that failed',
      unit: 'short',
      queries: [
        [
          `sum by (instance) (increase(optix_identity_revocation_read_failures_total{${CHOSEN}}${EACH}))`,
          '{{instance}}',
        ],
      ],
    },
    {
      title: 'Audit log: how long events wait for their seal',
      unit: 's',
      queries: [[`max(optix_audit_sealing_lag_seconds{${CHOSEN}})`, 'oldest']],
    },
    {
      title: 'Waiting: events for their seal, mails to be sent',
      description: '10,000 at most are counted.',
      unit: 'short',
      queries: [
        [`max(optix_audit_unsealed_events{${CHOSEN}})`, 'events'],
        [`max(optix_identity_mails_waiting{${CHOSEN}})`, 'mails'],
      ],
    },
    {
      title: 'Mails: how long overdue',
      unit: 's',
      queries: [[`max(optix_identity_mail_lag_seconds{${CHOSEN}})`, 'oldest']],
    },
    {
      title: 'Maintenance: how long overdue',
      unit: 's',
      queries: [[`max by (task) (optix_maintenance_task_lag_seconds{${CHOSEN}})`, '{{task}}']],
    },
    {
      title: 'Maintenance: since it last ended well',
      unit: 's',
      width: 12,
      queries: [
        [
          `time() - max by (task) (optix_maintenance_task_last_success_timestamp_seconds{${CHOSEN}})`,
          '{{task}}',
        ],
      ],
    },
    {
      title: 'Maintenance: runs that failed',
      unit: 'short',
      width: 12,
      queries: [
        [`sum by (task) (increase(optix_maintenance_task_failures_total{${CHOSEN}}${EACH}))`, '{{task}}'],
      ],
    },
  ],
};

/** How identity does: sign-ins, its database, what it does by itself. */
export const identityDashboard: Dashboard = {
  uid: 'optix-identity',
  title: 'optix: identity',
  description: 'Sign-ins, tokens, the database, what runs in the background.',
  ownMetric: 'optix_identity_hashing_queue_limit',
  rows: [signIns, calls, database, background, limiter, stores, redisServer, node],
};
