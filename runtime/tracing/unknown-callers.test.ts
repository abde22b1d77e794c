import { Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { failure } from '../../testing/failure.ts';
import { OtlpCollector } from '../../testing/otlp-collector.ts';
import { rateLimitClient, startTestRateLimit, TRANSPORTS } from '../../testing/services.ts';
import { keyDigest } from '../callers/caller-key.ts';

const KNOWN_TRACE = '1'.repeat(32);
const UNKNOWN_TRACE = '2'.repeat(32);
const traceparent = (trace: string) => `00-${trace}-b7ad6b7169203331-01`;
const check = { endpoint: 'orders', identifier: 'user' };

/** Of some calls, all of whose headers say that they are recorded: the traces that are. */
async function recordedTraces(ratio: string): Promise<ReadonlySet<string>> {
  await using collector = await OtlpCollector.start();
  {
    await using service = await startTestRateLimit({
      RATELIMIT_CALLER_KEYS: `backend=${keyDigest('of-backend')}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_TRACES_SAMPLER_ARG: ratio,
    });
    for (const name of TRANSPORTS) {
      const client = rateLimitClient(service, name);
      const unknown = { traceparent: traceparent(UNKNOWN_TRACE), authorization: 'Bearer of-nobody' };
      const refused = await failure(client.checkLimit(check, { headers: unknown }));
      expect(refused.code).toBe(Code.Unauthenticated);
      const known = { traceparent: traceparent(KNOWN_TRACE), authorization: 'Bearer of-backend' };
      await client.checkLimit(check, { headers: known });
    }
    const route = `${service.httpUrl}/forward-auth/nginx`;
    const asked = await fetch(route, { headers: { traceparent: traceparent(UNKNOWN_TRACE) } });
    expect(asked.ok).toBe(false);
  }
  return new Set(collector.spans.map(({ traceId }) => traceId));
}

test('callers that are not known do not decide what is recorded', async () => {
  expect(await recordedTraces('0')).toEqual(new Set([KNOWN_TRACE]));
  expect(await recordedTraces('1')).toEqual(new Set([KNOWN_TRACE, UNKNOWN_TRACE]));
});
