import type {
  EnvoyDescriptorDefinition,
  EnvoyDomainDefinition,
  EnvoyLimitDefinition,
} from '../../domain/envoy/envoy-definition.ts';

/** Fields whose text counts, whatever YAML makes of it. */
const TEXTS = new Set(['domain', 'key', 'value', 'name', 'rule', 'identifier']);

/**
 * Reads what stands in a file, with its defaults. Of what has another form than it should, as much as can be: so that all
 * that is wrong can be told at once.
 */
export function readDomain(written: unknown): EnvoyDomainDefinition {
  const root = recordOf(written);
  return { domain: textOf(root['domain']), descriptors: listOf(root['descriptors']).map(readDescriptor) };
}

function readDescriptor(written: unknown): EnvoyDescriptorDefinition {
  const descriptor = recordOf(written);
  const limit = descriptor['rate_limit'] ?? undefined;
  return {
    key: textOf(descriptor['key']),
    value: textOf(descriptor['value']),
    rateLimit: limit === undefined ? undefined : readLimit(limit),
    shadowMode: descriptor['shadow_mode'] === true,
    quotaMode: descriptor['quota_mode'] === true,
    detailedMetric: descriptor['detailed_metric'] === true,
    valueToMetric: descriptor['value_to_metric'] === true,
    shareThreshold: descriptor['share_threshold'] === true,
    descriptors: listOf(descriptor['descriptors']).map(readDescriptor),
  };
}

function readLimit(written: unknown): EnvoyLimitDefinition {
  const limit = recordOf(written);
  const { requests_per_unit: requestsPerUnit, identifier } = limit;
  return {
    unit: textOf(limit['unit']).toUpperCase(),
    requestsPerUnit: typeof requestsPerUnit === 'number' ? requestsPerUnit : undefined,
    unlimited: limit['unlimited'] === true,
    rule: textOf(limit['rule']),
    identifier: isMissing(identifier) ? undefined : textOf(identifier),
    name: textOf(limit['name']),
    replaces: listOf(limit['replaces']).map((each) => textOf(recordOf(each)['name'])),
  };
}

/**
 * The data with its texts as they stand in the file, where YAML made numbers or truth values of them: `1.10` is not 1.1,
 * nor `0x1F` 31.
 *
 * @param source the same document read with nothing but texts in it
 */
export function withTexts(data: unknown, source: unknown): unknown {
  if (Array.isArray(data)) return data.map((each, index) => withTexts(each, listOf(source)[index]));
  if (typeof data !== 'object' || data === null) return data;
  const texts = recordOf(source);
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => {
      const isText = TEXTS.has(name) && isOtherScalar(value) && typeof texts[name] === 'string';
      return [name, isText ? texts[name] : withTexts(value, texts[name])];
    }),
  );
}

/** Whether {@link withTexts} would change anything. */
export function needsTexts(data: unknown): boolean {
  if (Array.isArray(data)) return data.some(needsTexts);
  if (typeof data !== 'object' || data === null) return false;
  return Object.entries(data).some(
    ([name, value]) => (TEXTS.has(name) && isOtherScalar(value)) || needsTexts(value),
  );
}

function isOtherScalar(value: unknown): boolean {
  // YAML 1.1 makes a time of `2026-11-22`.
  const isTime = value instanceof Date;
  return isTime || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint';
}

function isMissing(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function textOf(value: unknown): string {
  return typeof value === 'string' || isOtherScalar(value) ? String(value) : '';
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
