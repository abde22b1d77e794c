import { create, type MessageShape } from '@bufbuild/protobuf';
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import type { MethodImpl } from '@connectrpc/connect';
import {
  CheckLimitRequestSchema,
  CheckLimitResponseSchema,
  DecisionSource,
  type RateLimitService,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RateLimitContext } from '../../context.ts';
import type { Decision } from '../../domain/decision.ts';

const ENDPOINT = /^[A-Za-z0-9_.:/-]+$/;
const MAX_ROLES = 32;
const CONTROL_CHARACTER = /\p{Cc}/u;

/** Bounds of a check, as the contract states them. */
export const checkLimitRules = requestRules(CheckLimitRequestSchema, (request, violations) => {
  violations.text('endpoint', request.endpoint, 128);
  if (request.endpoint !== '' && !ENDPOINT.test(request.endpoint)) {
    violations.add('endpoint', 'must hold only the characters A-Z a-z 0-9 _ . : / -');
  }
  violations.text('identifier', request.identifier, 256);
  if (CONTROL_CHARACTER.test(request.identifier)) {
    violations.add('identifier', 'must not hold control characters');
  }
  const { roles } = request;
  if (roles.length > MAX_ROLES) violations.add('roles', `must have at most ${MAX_ROLES} entries`);
  else for (const [index, role] of roles.entries()) violations.text(`roles[${index}]`, role, 64);
});

/** optix.ratelimit.v1.RateLimitService/CheckLimit */
export function checkLimit({
  limiter,
}: RateLimitContext): MethodImpl<typeof RateLimitService.method.checkLimit> {
  return (request) => {
    const decision = limiter.check(request);
    return decision instanceof Promise ? decision.then(toResponse) : toResponse(decision);
  };
}

/** A decision in the contract's form. */
function toResponse(decision: Decision): MessageShape<typeof CheckLimitResponseSchema> {
  const response = create(CheckLimitResponseSchema);
  response.allowed = decision.allowed;
  response.limit = decision.limit;
  response.remaining = decision.remaining;
  response.resetTime = timestamp(decision.resetMicros);
  if (!decision.allowed) response.retryAfter = duration(decision.retryAfterMicros);
  response.bypassed = decision.bypassed;
  response.rule = decision.rule.name;
  response.ruleVersion = decision.rule.version;
  response.window = duration(decision.rule.windowMicros);
  response.source = SOURCES[decision.source];
  return response;
}

const SOURCES: Readonly<Record<Decision['source'], DecisionSource>> = {
  REDIS: DecisionSource.REDIS,
  MEMORY: DecisionSource.MEMORY,
  FALLBACK_LOCAL: DecisionSource.FALLBACK_LOCAL,
  FALLBACK_OPEN: DecisionSource.FALLBACK_OPEN,
  FALLBACK_CLOSED: DecisionSource.FALLBACK_CLOSED,
  BYPASS: DecisionSource.BYPASS,
  DISABLED: DecisionSource.DISABLED,
};

function timestamp(micros: number): Timestamp {
  return fill(create(TimestampSchema), micros);
}

function duration(micros: number): Duration {
  return fill(create(DurationSchema), micros);
}

function fill<T extends Timestamp | Duration>(message: T, micros: number): T {
  const seconds = Math.floor(micros / 1_000_000);
  message.seconds = BigInt(seconds);
  message.nanos = (micros - seconds * 1_000_000) * 1000;
  return message;
}
