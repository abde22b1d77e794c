import type { EnvoyDescriptorDefinition, EnvoyLimitDefinition } from './envoy-definition.ts';

/** A descriptor of a configuration: what it doesn't say is as where a file leaves it out. */
export function descriptorOf(
  key: string,
  fields: Partial<Omit<EnvoyDescriptorDefinition, 'key' | 'rateLimit'>> & {
    readonly rateLimit?: Partial<EnvoyLimitDefinition>;
  } = {},
): EnvoyDescriptorDefinition {
  const { rateLimit, ...rest } = fields;
  return {
    key,
    value: '',
    shadowMode: false,
    quotaMode: false,
    detailedMetric: false,
    valueToMetric: false,
    shareThreshold: false,
    descriptors: [],
    ...rest,
    rateLimit: rateLimit && {
      unit: '',
      requestsPerUnit: undefined,
      unlimited: false,
      rule: '',
      identifier: undefined,
      name: '',
      replaces: [],
      ...rateLimit,
    },
  };
}
