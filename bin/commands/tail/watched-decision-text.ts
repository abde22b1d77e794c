import type { WatchDecisionsResponse } from '../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { DecisionSourceSchema } from '../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { enumName } from '../../output/enum-name.ts';
import { printable } from '../../output/printable.ts';
import { timeText, waitText } from '../../output/time-text.ts';

/** One decision on one line. Most of them are aligned: what comes later isn't known yet. */
export function watchedDecisionText(decision: WatchDecisionsResponse): string {
  const { limit, remaining, cost, limitName, rule, endpoint } = decision;
  const counted = limit === 0 ? 'no limit' : `${remaining} of ${limit} left`;
  const notes = [enumName(DecisionSourceSchema, decision.source)];
  if (cost !== 1) notes.push(`cost ${cost}`);
  if (rule !== endpoint) notes.push(`rule ${rule}`);
  if (limitName !== '') notes.push(`limit ${limitName}`);
  if (decision.retryAfter !== undefined) notes.push(`retry in ${waitText(decision.retryAfter)}`);
  return [
    timeText(decision.time),
    verdict(decision).padEnd(7),
    endpoint.padEnd(20),
    printable(decision.identifier).padEnd(24),
    counted.padEnd(16),
    notes.join(', '),
  ].join('  ');
}

function verdict({ allowed, shadowDenied }: WatchDecisionsResponse): string {
  if (!allowed) return 'denied';
  return shadowDenied ? 'shadow' : 'allowed';
}
