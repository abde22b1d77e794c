import type { MessageShape } from '@bufbuild/protobuf';
import type {
  RateLimitDescriptor,
  RateLimitDescriptor_Entry,
} from '../../../../gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts';
import type { RateLimitRequestSchema } from '../../../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { RateLimitUnit } from '../../../../gen/envoy/type/v3/ratelimit_unit_pb.ts';
import type { Violations } from '../../../../runtime/validation.ts';
import type { EnvoyUnit } from '../../domain/envoy/envoy-config.ts';
import type { EnvoyDescriptor, EnvoyRequest } from '../../domain/envoy/should-limit-request.ts';

const MAX_DOMAIN_BYTES = 256;
const MAX_DESCRIPTORS = 64;
const MAX_ENTRIES = 32;
const MAX_KEY_BYTES = 256;
const MAX_HITS = 4_294_967_295;

type Request = MessageShape<typeof RateLimitRequestSchema>;

const UNITS: Readonly<Partial<Record<RateLimitUnit, EnvoyUnit>>> = {
  [RateLimitUnit.SECOND]: 'SECOND',
  [RateLimitUnit.MINUTE]: 'MINUTE',
  [RateLimitUnit.HOUR]: 'HOUR',
  [RateLimitUnit.DAY]: 'DAY',
  [RateLimitUnit.WEEK]: 'WEEK',
  [RateLimitUnit.MONTH]: 'MONTH',
  [RateLimitUnit.YEAR]: 'YEAR',
};

/**
 * Bounds of a request. Values may hold any characters and have any length: they come from whoever sends requests to
 * Envoy, which by default lets pass what gets an error here. A long path must not be a way around a limit.
 */
export function requestBounds({ domain, descriptors }: Request, violations: Violations): void {
  violations.text('domain', domain, MAX_DOMAIN_BYTES);
  violations.entries('descriptors', descriptors, MAX_DESCRIPTORS, descriptorBounds);
}

/** A request of the contract, within its bounds, as the domain has it. */
export function envoyRequest({ domain, descriptors, hitsAddend }: Request): EnvoyRequest {
  // The request's number is a plain uint32, where 0 stands for none.
  const hits = hitsAddend === 0 ? 1 : hitsAddend;
  return { domain, descriptors: descriptors.map((descriptor) => envoyDescriptor(descriptor, hits)) };
}

function descriptorBounds({ entries, limit }: RateLimitDescriptor, violations: Violations): void {
  // Envoy sends one without entries for an action whose value is missing and may be (`skip_if_absent`).
  if (entries.length > 0) violations.entries('entries', entries, MAX_ENTRIES, entryBounds);
  if (limit !== undefined && UNITS[limit.unit] === undefined) {
    violations.add('limit.unit', 'must be one of SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, YEAR');
  }
}

function entryBounds({ key }: RateLimitDescriptor_Entry, violations: Violations): void {
  violations.text('key', key, MAX_KEY_BYTES);
}

function envoyDescriptor(descriptor: RateLimitDescriptor, hits: number): EnvoyDescriptor {
  const { entries, limit, hitsAddend, isNegativeHits } = descriptor;
  const unit = limit === undefined ? undefined : UNITS[limit.unit];
  return {
    entries,
    hits: hitsAddend === undefined ? hits : Math.min(Number(hitsAddend), MAX_HITS),
    givesBack: isNegativeHits,
    override:
      limit === undefined || unit === undefined
        ? undefined
        : { requestsPerUnit: limit.requestsPerUnit, unit },
  };
}
