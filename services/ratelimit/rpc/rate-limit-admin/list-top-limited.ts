import type { MethodImpl } from '@connectrpc/connect';
import {
  ListTopLimitedRequestSchema,
  type RateLimitAdminService,
  TopLimitedOrder,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { TopLimited, TopQuery } from '../../domain/top-limited.ts';
import { endpointBounds } from '../rate-limit/check-rules.ts';
import { timestamp } from '../rate-limit/decision-response.ts';

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1_000;

/** Enums are open: any other number can come, too. */
const ORDERS: Readonly<Partial<Record<number, TopQuery['order']>>> = {
  [TopLimitedOrder.UNSPECIFIED]: 'denied',
  [TopLimitedOrder.DENIED]: 'denied',
  [TopLimitedOrder.CHECKED]: 'checked',
};

export const listTopLimitedRules = requestRules(
  ListTopLimitedRequestSchema,
  ({ order, pageSize, endpoint }, violations) => {
    if (ORDERS[order] === undefined) violations.add('order', 'must be DENIED or CHECKED');
    if (pageSize < 0 || pageSize > MAX_PAGE_SIZE) {
      violations.add('page_size', `must be from 0 to ${MAX_PAGE_SIZE}`);
    }
    if (endpoint !== '') endpointBounds('endpoint', endpoint, violations);
  },
);

/** optix.ratelimit.v1.RateLimitAdminService/ListTopLimited */
export function listTopLimited({
  top,
}: {
  readonly top: TopLimited;
}): MethodImpl<typeof RateLimitAdminService.method.listTopLimited> {
  return async ({ order, pageSize, endpoint }) => {
    const { entries, sinceMicros, replicas } = await top.list({
      order: ORDERS[order] ?? 'denied',
      size: pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize,
      endpoint,
    });
    return {
      entries: entries.map((entry) => ({
        endpoint: entry.endpoint,
        identifier: entry.identifier,
        count: BigInt(entry.count),
        error: BigInt(entry.error),
      })),
      sinceTime: timestamp(sinceMicros),
      replicas,
    };
  };
}
