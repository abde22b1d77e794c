// What the package offers as `optix/ratelimit`.
// biome-ignore-all lint/performance/noBarrelFile: the entry of a package names what it offers
export { Algorithm, type LimitStatus } from '../../gen/optix/ratelimit/v1/limit_pb.ts';
export type {
  CheckLimitRequest,
  CheckLimitResponse,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
export { DecisionSource } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
export type { GrpcTransportOptions } from '../grpc/grpc-transport.ts';
export type { ClientTls } from '../grpc/tls-credentials.ts';
export type { ClientIpOptions } from '../http/client-ip.ts';
export { remoteAddressKey, remoteAddressValues } from '../http/connect-facts.ts';
export type { HttpFacts } from '../http/http-facts.ts';
export type { HttpAnswer } from '../http/problem.ts';
export { createLimiter } from './create-limiter.ts';
export type { Check, CheckOptions, LimitAnswer, LimitAnswers, Limiter, LimiterState } from './limiter.ts';
export type { LimiterOptions } from './limiter-options.ts';
export { type ByIpOptions, byHeader, byIp, byUser, firstOf, type Key } from './middleware/keys.ts';
export { LimitCheckFailed } from './middleware/limit-check-failed.ts';
export type { FurtherKey, HeaderChoice, LimitOptions } from './middleware/limit-options.ts';
export { type Denial, type HttpLimitOptions, limitRequest } from './middleware/limit-request.ts';
export { createRateLimitAdminClient, type RateLimitAdminClient } from './rate-limit-admin-client.ts';
export { createRateLimitClient, type RateLimitClient } from './rate-limit-client.ts';
export { rateLimitHeaderNames, rateLimitHeaders } from './rate-limit-headers.ts';
export type { UnreachablePolicy } from './unreachable-policy.ts';
