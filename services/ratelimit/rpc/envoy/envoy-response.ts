import {
  type RateLimitResponse,
  RateLimitResponse_Code,
  type RateLimitResponse_DescriptorStatus,
  type RateLimitResponse_RateLimit,
  RateLimitResponse_RateLimit_Unit,
} from '../../../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import type { EnvoyUnit } from '../../domain/envoy/envoy-config.ts';
import type { EnvoyAnswer } from '../../domain/envoy/should-limit.ts';
import type { CurrentLimit, DescriptorStatus } from '../../domain/envoy/should-limit-status.ts';
import { duration } from '../rate-limit/decision-response.ts';
import { type EnvoyHeaders, envoyHeaders } from './envoy-headers.ts';

const MAX_UINT32 = 4_294_967_295;

const UNITS: Readonly<Record<EnvoyUnit, RateLimitResponse_RateLimit_Unit>> = {
  SECOND: RateLimitResponse_RateLimit_Unit.SECOND,
  MINUTE: RateLimitResponse_RateLimit_Unit.MINUTE,
  HOUR: RateLimitResponse_RateLimit_Unit.HOUR,
  DAY: RateLimitResponse_RateLimit_Unit.DAY,
  WEEK: RateLimitResponse_RateLimit_Unit.WEEK,
  MONTH: RateLimitResponse_RateLimit_Unit.MONTH,
  YEAR: RateLimitResponse_RateLimit_Unit.YEAR,
};

const EMPTY = new Uint8Array();

/** A decision in the contract's form. */
export function envoyResponse(answer: EnvoyAnswer, headers: EnvoyHeaders): RateLimitResponse {
  // A literal has the shape that create() gives, at a fraction of its time.
  return {
    $typeName: 'envoy.service.ratelimit.v3.RateLimitResponse',
    overallCode: codeOf(answer.over),
    statuses: answer.statuses.map(statusMessage),
    responseHeadersToAdd: envoyHeaders(answer, headers),
    requestHeadersToAdd: [],
    rawBody: EMPTY,
  };
}

function statusMessage(status: DescriptorStatus): RateLimitResponse_DescriptorStatus {
  const { over, currentLimit, remaining, untilResetMicros } = status;
  return {
    $typeName: 'envoy.service.ratelimit.v3.RateLimitResponse.DescriptorStatus',
    code: codeOf(over),
    limitRemaining: Math.min(remaining, MAX_UINT32),
    currentLimit: currentLimit === undefined ? undefined : limitMessage(currentLimit),
    durationUntilReset: untilResetMicros === undefined ? undefined : duration(untilResetMicros),
  };
}

function limitMessage({ requestsPerUnit, unit, name }: CurrentLimit): RateLimitResponse_RateLimit {
  return {
    $typeName: 'envoy.service.ratelimit.v3.RateLimitResponse.RateLimit',
    requestsPerUnit,
    unit: unit === undefined ? RateLimitResponse_RateLimit_Unit.UNKNOWN : UNITS[unit],
    name,
  };
}

function codeOf(over: boolean): RateLimitResponse_Code {
  return over ? RateLimitResponse_Code.OVER_LIMIT : RateLimitResponse_Code.OK;
}
