import { AlgorithmSchema, type LimitStatus } from '../../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  type CheckLimitResponse,
  DecisionSourceSchema,
} from '../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { enumName } from '../../output/enum-name.ts';
import { tableText } from '../../output/table.ts';
import { durationText, untilText, waitText } from '../../output/time-text.ts';

type Status = Pick<
  LimitStatus,
  | 'rule'
  | 'limitName'
  | 'allowed'
  | 'shadow'
  | 'limit'
  | 'remaining'
  | 'resetTime'
  | 'retryAfter'
  | 'window'
  | 'algorithm'
>;

const TITLES = ['rule', 'limit', 'units', 'remaining', 'window', 'reset', 'algorithm', 'source', 'verdict'];

/**
 * A decision for people: what was decided, and a line for each limit that was asked.
 *
 * @param nowMs what `reset` counts from
 */
export function decisionText(
  decision: CheckLimitResponse,
  { endpoint, identifier }: { readonly endpoint: string; readonly identifier: string },
  nowMs: number,
): string {
  const source = enumName(DecisionSourceSchema, decision.source);
  const limits = decision.limits.length > 0 ? decision.limits : onlyLimit(decision);
  const lines = [`${verdict(decision)}: ${endpoint} ${identifier}`];
  if (limits.length === 0) return `${lines[0]}\nrule ${decision.rule}, nothing counted (${source})`;
  const rows = limits.map((each) => [
    each.rule,
    each.limitName,
    String(each.limit),
    String(each.remaining),
    durationText(each.window),
    untilText(each.resetTime, nowMs),
    enumName(AlgorithmSchema, each.algorithm),
    source,
    limitVerdict(each, decision.bypassed),
  ]);
  return [...lines, tableText(TITLES, rows)].join('\n');
}

function verdict({ allowed, bypassed, shadowDenied, retryAfter }: CheckLimitResponse): string {
  if (!allowed) return `denied${retryAfter === undefined ? '' : `, retry in ${waitText(retryAfter)}`}`;
  if (bypassed) return 'allowed by a bypass role';
  return shadowDenied ? 'allowed, but a shadow limit would have denied it' : 'allowed';
}

function limitVerdict({ allowed, shadow, retryAfter }: Status, bypassed: boolean): string {
  if (bypassed) return 'not counted';
  if (allowed) return shadow ? 'room (shadow)' : 'room';
  const wait = retryAfter === undefined ? '' : ` for ${waitText(retryAfter)}`;
  return `no room${wait}${shadow ? ' (shadow)' : ''}`;
}

/** The decision itself says it all where there was but one limit. */
function onlyLimit(decision: CheckLimitResponse): Status[] {
  return decision.limit === 0 ? [] : [{ ...decision, shadow: false }];
}
