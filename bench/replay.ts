/**
 * Replays an access log as CheckLimit calls against a running rate limiter, as fast as it takes them.
 *
 *   node bench/replay.ts <access.log> [--address 127.0.0.1:50052] [--endpoint api_default] [--callers 32]
 *
 * Each line of the log (Apache or nginx, common or combined format) becomes one check of its client address, in the
 * log's order. Prints a table of what was allowed and denied, the rate, and the latency.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createRateLimitClient } from '../clients/ratelimit/rate-limit-client.ts';
import {
  type DecisionSource,
  DecisionSourceSchema,
} from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { percentiles } from './percentiles.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    address: { type: 'string', default: '127.0.0.1:50052' },
    endpoint: { type: 'string', default: 'api_default' },
    callers: { type: 'string', default: '32' },
  },
});
const [file] = positionals;
if (file === undefined || positionals.length > 1) {
  console.error(
    'usage: node bench/replay.ts <access.log> [--address host:port] [--endpoint name] [--callers n]',
  );
  process.exit(2);
}

const addresses: string[] = [];
let unreadable = 0;
for await (const line of createInterface({ input: createReadStream(file) })) {
  // host ident user [time] "request" ...: the first field is the client.
  const [, host] = /^(\S+) \S+ \S+ \[[^\]]+\] "/.exec(line) ?? [];
  if (host === undefined) unreadable += 1;
  else addresses.push(host);
}

using limiter = createRateLimitClient({ address: values.address });
const outcomes = new Map<string, number>();
const latencies: number[] = [];
let next = 0;

async function caller(): Promise<void> {
  for (let turn = next++; turn < addresses.length; turn = next++) {
    const started = performance.now();
    const { allowed, source } = await limiter.checkLimit({
      endpoint: values.endpoint,
      identifier: `ip:${addresses[turn]}`,
    });
    latencies.push(performance.now() - started);
    const outcome = `${allowed ? 'allowed' : 'denied'} (${nameOf(source)})`;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
}

const started = performance.now();
await Promise.all(Array.from({ length: Number(values.callers) }, caller));
const seconds = (performance.now() - started) / 1000;
const latency = percentiles(latencies);

console.table({
  requests: addresses.length,
  'lines left out': unreadable,
  'client addresses': new Set(addresses).size,
  ...Object.fromEntries([...outcomes].sort()),
  seconds: Number(seconds.toFixed(2)),
  'checks/s': Math.round(addresses.length / seconds),
  ...Object.fromEntries(
    Object.entries(latency ?? {}).map(([name, ms]) => [`latency ${name} ms`, Number(ms.toFixed(2))]),
  ),
});

function nameOf(source: DecisionSource): string {
  return DecisionSourceSchema.value[source]?.name.replace('DECISION_SOURCE_', '') ?? String(source);
}
