import type { CheckLimitResponse } from '../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { rateLimitHeaders } from '../rate-limit-headers.ts';
import type { HeaderChoice } from './limit-options.ts';

/** What names of headers begin with. */
const CHOSEN: Readonly<Record<HeaderChoice, readonly string[]>> = {
  all: ['x-ratelimit-', 'ratelimit'],
  legacy: ['x-ratelimit-'],
  ietf: ['ratelimit'],
  none: [],
};

/** The headers of a decision, names in lower case, without `retry-after`. */
export function limitHeaders(decision: CheckLimitResponse, choice: HeaderChoice): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(rateLimitHeaders(decision, Date.now()))) {
    const key = name.toLowerCase();
    if (CHOSEN[choice].some((prefix) => key.startsWith(prefix))) headers[key] = value;
  }
  return headers;
}
