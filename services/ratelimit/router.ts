import { RateLimitService } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { type ServiceTable, serviceTable } from '../../runtime/service-table.ts';
import type { RequestRules } from '../../runtime/validation.ts';
import type { RateLimitContext } from './context.ts';
import { checkLimit, checkLimitRules } from './rpc/rate-limit/check-limit.ts';

/** Every RPC of the service and its handler. */
export function serviceTables(context: RateLimitContext): readonly ServiceTable[] {
  return [serviceTable(RateLimitService, { checkLimit: checkLimit(context) })];
}

/** The bounds of every request message. */
export const rules: readonly RequestRules[] = [checkLimitRules];
