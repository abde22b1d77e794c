import { CHOSEN, type Row } from './dashboard.ts';

const UNARY = 'method!~"Watch.+|StreamCheckLimits|ImportUsers|ExportUsers"';
const FAILED = 'code=~"internal|unknown|unavailable|deadline_exceeded|data_loss"';

/** Calls of either service: rate, errors, latency. */
export const calls: Row = {
  title: 'Calls',
  panels: [
    {
      title: 'Calls by method',
      unit: 'reqps',
      queries: [
        [
          `sum by (method) (rate(optix_rpc_duration_seconds_count{${CHOSEN}}[$__rate_interval]))`,
          '{{method}}',
        ],
      ],
    },
    {
      title: 'Calls that did not end well',
      description: 'Refusals of what a caller did wrong too. Denials of CheckLimit end well.',
      unit: 'reqps',
      queries: [
        [
          `sum by (method, code) (rate(optix_rpc_duration_seconds_count{${CHOSEN},code!="ok"}[$__rate_interval]))`,
          '{{method}} {{code}}',
        ],
      ],
    },
    {
      title: 'Failed by own fault',
      description: 'Of unary calls. The objective is 0.1 % over 30 days.',
      unit: 'percentunit',
      queries: [
        [
          `(sum by (job) (rate(optix_rpc_duration_seconds_count{${CHOSEN},${UNARY},${FAILED}}[$__rate_interval])) or 0 * sum by (job) (rate(optix_rpc_duration_seconds_count{${CHOSEN},${UNARY}}[$__rate_interval]))) / sum by (job) (rate(optix_rpc_duration_seconds_count{${CHOSEN},${UNARY}}[$__rate_interval]))`,
          '{{job}}',
        ],
      ],
    },
    {
      title: 'Latency, p50',
      unit: 's',
      queries: [[latency(0.5), '{{method}}']],
    },
    {
      title: 'Latency, p99',
      unit: 's',
      queries: [[latency(0.99), '{{method}}']],
    },
    {
      title: 'In flight, and refused before a handler',
      unit: 'short',
      queries: [
        [`sum by (instance) (optix_rpcs_in_flight{${CHOSEN}})`, 'in flight, {{instance}}'],
        [
          `sum by (status) (rate(optix_http_refused_requests_total{${CHOSEN}}[$__rate_interval]))`,
          'refused a second, {{status}}',
        ],
      ],
    },
  ],
};

/** What Redis says of itself. Each process asks, so the highest answer is taken. */
export const redisServer: Row = {
  title: 'Redis, as it tells of itself',
  panels: [
    {
      title: 'Memory of Redis',
      description: 'A full Redis takes no writes, and rules answer by their failure policies.',
      unit: 'bytes',
      queries: [
        [`max by (node) (optix_redis_memory_used_bytes{${CHOSEN}})`, 'used, {{node}}'],
        [`max by (node) (optix_redis_memory_max_bytes{${CHOSEN}})`, 'maxmemory, {{node}}'],
      ],
    },
    {
      title: 'Commands',
      unit: 'ops',
      queries: [
        [
          `max by (node) (rate(optix_redis_commands_processed_total{${CHOSEN}}[$__rate_interval]))`,
          '{{node}}',
        ],
      ],
    },
    {
      title: 'Lookups that found their key',
      description: 'A key that is not there is no fault: nobody has counted against it yet.',
      unit: 'percentunit',
      queries: [
        [
          `max by (node) (rate(optix_redis_keyspace_hits_total{${CHOSEN}}[$__rate_interval])) / (max by (node) (rate(optix_redis_keyspace_hits_total{${CHOSEN}}[$__rate_interval])) + max by (node) (rate(optix_redis_keyspace_misses_total{${CHOSEN}}[$__rate_interval])))`,
          '{{node}}',
        ],
      ],
    },
    {
      title: 'Clients',
      unit: 'short',
      queries: [[`max by (node) (optix_redis_connected_clients{${CHOSEN}})`, '{{node}}']],
    },
    {
      title: 'Keys evicted',
      description: 'Each is a limit that begins anew: there should be none.',
      unit: 'short',
      queries: [
        [`max by (node) (increase(optix_redis_evicted_keys_total{${CHOSEN}}[$__rate_interval]))`, '{{node}}'],
      ],
    },
    {
      title: 'Times that Redis could not be asked',
      unit: 'short',
      queries: [
        [
          `sum by (instance) (increase(optix_redis_scrape_failures_total{${CHOSEN}}[$__rate_interval]))`,
          '{{instance}}',
        ],
      ],
    },
  ],
};

/** The stores' probes. */
export const stores: Row = {
  title: 'Stores',
  panels: [
    {
      title: 'Up',
      unit: 'bool_on_off',
      width: 12,
      queries: [[`min by (instance, store) (optix_store_up{${CHOSEN}})`, '{{store}}, {{instance}}']],
    },
    {
      title: 'Time of a probe',
      unit: 's',
      width: 12,
      queries: [
        [`max by (instance, store) (optix_store_probe_seconds{${CHOSEN}})`, '{{store}}, {{instance}}'],
      ],
    },
  ],
};

/** The process itself. */
export const node: Row = {
  title: 'Processes',
  panels: [
    {
      title: 'Event loop, p99 of its delay',
      unit: 's',
      queries: [[`max by (instance) (nodejs_eventloop_lag_p99_seconds{${CHOSEN}})`, '{{instance}}']],
    },
    {
      title: 'Processor',
      description: '1 is one core. JavaScript has one; hashing and cryptography have others.',
      unit: 'short',
      queries: [
        [`sum by (instance) (rate(process_cpu_seconds_total{${CHOSEN}}[$__rate_interval]))`, '{{instance}}'],
      ],
    },
    {
      title: 'Memory',
      unit: 'bytes',
      queries: [
        [`max by (instance) (process_resident_memory_bytes{${CHOSEN}})`, 'resident, {{instance}}'],
        [`max by (instance) (nodejs_heap_size_used_bytes{${CHOSEN}})`, 'heap, {{instance}}'],
      ],
    },
    {
      title: 'Garbage collection, share of time',
      unit: 'percentunit',
      queries: [
        [
          `sum by (instance, kind) (rate(nodejs_gc_duration_seconds_sum{${CHOSEN}}[$__rate_interval]))`,
          '{{kind}}, {{instance}}',
        ],
      ],
    },
    {
      title: 'Open files',
      unit: 'short',
      queries: [[`max by (instance) (process_open_fds{${CHOSEN}})`, '{{instance}}']],
    },
    {
      title: 'Spans dropped',
      unit: 'short',
      queries: [
        [
          `sum by (instance) (increase(optix_trace_spans_dropped_total{${CHOSEN}}[$__rate_interval]))`,
          '{{instance}}',
        ],
      ],
    },
    {
      title: 'Running for',
      unit: 's',
      kind: 'stat',
      width: 12,
      queries: [[`time() - max by (instance) (optix_start_time_seconds{${CHOSEN}})`, '{{instance}}']],
    },
    {
      title: 'Log level',
      unit: 'short',
      kind: 'stat',
      width: 12,
      queries: [[`count by (level) (optix_log_level{${CHOSEN}} == 1)`, '{{level}}']],
    },
  ],
};

function latency(quantile: number): string {
  return `histogram_quantile(${quantile}, sum by (method, le) (rate(optix_rpc_duration_seconds_bucket{${CHOSEN},${UNARY}}[$__rate_interval])))`;
}
