import type { Interceptor } from '@connectrpc/connect';
import { rateLimitHeaders } from '../../clients/ratelimit/rate-limit-headers.ts';
import {
  type CheckLimitResponse,
  RateLimitService,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';

/** Puts the headers on answers over HTTP; gRPC callers have it all in the message. */
export const rateLimitHeadersInterceptor: Interceptor = (next) => async (request) => {
  const response = await next(request);
  if (!response.stream && request.method === RateLimitService.method.checkLimit) {
    const headers = rateLimitHeaders(response.message as CheckLimitResponse, Date.now());
    for (const [name, value] of Object.entries(headers)) response.header.set(name, value);
  }
  return response;
};
