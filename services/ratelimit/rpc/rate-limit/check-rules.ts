import type {
  CheckLimitRequest,
  LimitTarget,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import type { Violations } from '../../../../runtime/validation.ts';

const ENDPOINT = /^[A-Za-z0-9_.:/-]+$/;
const MAX_ROLES = 32;
const MAX_TARGETS = 15;
const CONTROL_CHARACTER = /\p{Cc}/u;

/** Bounds of a check, as the contract states them. */
export function checkBounds(
  { endpoint, identifier, roles, also }: CheckLimitRequest,
  violations: Violations,
): void {
  endpointBounds('endpoint', endpoint, violations);
  identifierBounds('identifier', identifier, violations);
  if (roles.length > MAX_ROLES) violations.add('roles', `must have at most ${MAX_ROLES} entries`);
  else for (let at = 0; at < roles.length; at += 1) violations.text(`roles[${at}]`, roles[at] as string, 64);
  if (also.length > MAX_TARGETS) violations.add('also', `must have at most ${MAX_TARGETS} entries`);
  else
    for (let at = 0; at < also.length; at += 1) {
      targetBounds(`also[${at}]`, also[at] as LimitTarget, violations);
    }
}

/** Bounds of what is limited. */
export function endpointBounds(field: string, endpoint: string, violations: Violations): void {
  violations.text(field, endpoint, 128);
  if (endpoint !== '') endpointCharacters(field, endpoint, violations);
}

/** Bounds of who is limited. */
export function identifierBounds(field: string, identifier: string, violations: Violations): void {
  violations.text(field, identifier, 256);
  if (CONTROL_CHARACTER.test(identifier)) violations.add(field, 'must not hold control characters');
}

function targetBounds(path: string, { endpoint, identifier }: LimitTarget, violations: Violations): void {
  if (endpoint !== '') endpointBounds(`${path}.endpoint`, endpoint, violations);
  identifierBounds(`${path}.identifier`, identifier, violations);
}

function endpointCharacters(field: string, endpoint: string, violations: Violations): void {
  if (!ENDPOINT.test(endpoint)) violations.add(field, 'must hold only the characters A-Z a-z 0-9 _ . : / -');
}
