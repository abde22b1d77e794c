import type { MethodImpl } from '@connectrpc/connect';
import {
  RateLimitRequestSchema,
  type RateLimitService,
} from '../../../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { activeSpan } from '../../../../runtime/tracing/active-span.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RateLimitContext } from '../../context.ts';
import { EnvoyNotConfigured } from '../../domain/errors.ts';
import { envoyRequest, requestBounds } from './envoy-request.ts';
import { envoyResponse } from './envoy-response.ts';

export const shouldRateLimitRules = requestRules(RateLimitRequestSchema, requestBounds);

/** envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit */
export function shouldRateLimit({
  envoy,
}: Pick<RateLimitContext, 'envoy'>): MethodImpl<typeof RateLimitService.method.shouldRateLimit> {
  return async (request) => {
    if (envoy === undefined) throw new EnvoyNotConfigured();
    const answer = await envoy.limits.decide(envoyRequest(request));
    activeSpan()?.setAttribute('optix.allowed', !answer.over);
    return envoyResponse(answer, envoy.headers);
  };
}
