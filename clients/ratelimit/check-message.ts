import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { BadRequestSchema } from '../../gen/google/rpc/error_details_pb.ts';
import {
  type CheckLimitRequest,
  type LimitTarget,
  LimitTargetSchema,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import type { Check } from './limiter.ts';

const MAX_UINT32 = 0xffff_ffff;

/**
 * The message of a check. Looks at what can't be encoded, which would end the stream for all checks on it; all else is
 * for the service to refuse.
 *
 * @throws ConnectError INVALID_ARGUMENT, naming the field
 */
export function checkMessage(check: Check): CheckLimitRequest {
  const { roles = [] } = check;
  if (!Array.isArray(roles)) throw refused('roles', 'must be a list');
  for (const [index, role] of roles.entries()) text(`roles[${index}]`, role);
  const { also = [] } = check;
  if (!Array.isArray(also)) throw refused('also', 'must be a list');
  // A literal has the shape that create() gives, at a fraction of its time.
  return {
    $typeName: 'optix.ratelimit.v1.CheckLimitRequest',
    endpoint: text('endpoint', check.endpoint),
    identifier: text('identifier', check.identifier),
    cost: units('cost', check.cost),
    // The caller may go on working with its list before the message is sent.
    roles: [...roles],
    also: also.map(target),
    refundable: check.refundable === true,
  };
}

/** Most bytes that the check takes in a message, about. */
export function checkBytes({ endpoint, identifier, roles, also }: CheckLimitRequest): number {
  let units = endpoint.length + identifier.length;
  for (const role of roles) units += role.length + 2;
  for (const other of also) units += other.endpoint.length + other.identifier.length + 6;
  // A character of UTF-16 takes up to three bytes of UTF-8; the rest is what stands around them.
  return 3 * units + 32;
}

function target(given: NonNullable<Check['also']>[number], index: number): LimitTarget {
  return create(LimitTargetSchema, {
    endpoint: text(`also[${index}].endpoint`, given.endpoint),
    identifier: text(`also[${index}].identifier`, given.identifier),
    cost: units(`also[${index}].cost`, given.cost),
  });
}

function text(field: string, value: string | undefined): string {
  if (value === undefined) return '';
  if (typeof value !== 'string') throw refused(field, 'must be text');
  return value;
}

function units(field: string, value: number | undefined): number {
  if (value === undefined) return 0;
  if (!Number.isInteger(value) || value < 0 || value > MAX_UINT32) {
    throw refused(field, `must be an integer from 0 to ${MAX_UINT32}`);
  }
  return value;
}

function refused(field: string, description: string): ConnectError {
  return new ConnectError(`${field} ${description}`, Code.InvalidArgument, undefined, [
    { desc: BadRequestSchema, value: { fieldViolations: [{ field, description }] } },
  ]);
}
