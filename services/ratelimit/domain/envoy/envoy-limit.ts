import { hash } from 'node:crypto';
import { keySuffixOf, type Limit } from '../limit.ts';
import { RULE_NAME, type Rule, type StoreFailurePolicy } from '../rule.ts';
import type { EnvoyLimit, EnvoyQuota, EnvoyUnit } from './envoy-config.ts';
import { ENVOY_UNIT_MICROS } from './envoy-unit.ts';

/** The most that the API can ask for: a uint32. */
export const MAX_REQUESTS_PER_UNIT = 4_294_967_295;

/** Callers bring the numbers of overrides: what they can make us keep is bounded. */
const MAX_OVERRIDES_KEPT = 1_000;
const OVERRIDE_NAME = 'envoy_override';
const RULE_NAME_LENGTH = 128;
const DIGEST_LENGTH = 16;

/**
 * So many hits a unit, counted from each multiple of the unit since 1970.
 *
 * The limit bears the unit's name, so a unit that is changed counts anew, and a number that is changed does not.
 *
 * @param statKey what the rule is named after
 * @param requestsPerUnit integer from 0 to {@link MAX_REQUESTS_PER_UNIT}
 */
export function rateQuota(
  statKey: string,
  requestsPerUnit: number,
  unit: EnvoyUnit,
  onStoreFailure: StoreFailurePolicy,
): EnvoyQuota {
  const rule =
    requestsPerUnit > 0 ? ruleOf(ruleNameOf(statKey), requestsPerUnit, unit, onStoreFailure) : undefined;
  return Object.freeze({ kind: 'RATE', requestsPerUnit, unit, rule });
}

const overrides = new Map<string, EnvoyLimit>();

/**
 * The limit that a descriptor brings with it. The same object for the same limit, mostly.
 *
 * @param requestsPerUnit integer from 0 to {@link MAX_REQUESTS_PER_UNIT}
 */
export function overrideLimit(
  requestsPerUnit: number,
  unit: EnvoyUnit,
  onStoreFailure: StoreFailurePolicy = 'FAIL_LOCAL',
): EnvoyLimit {
  const id = `${requestsPerUnit} ${unit} ${onStoreFailure}`;
  const known = overrides.get(id);
  if (known !== undefined) return known;
  const limit: EnvoyLimit = Object.freeze({
    quota: rateQuota(OVERRIDE_NAME, requestsPerUnit, unit, onStoreFailure),
    name: '',
    replaces: [],
    shadowMode: false,
    quotaMode: false,
  });
  if (overrides.size >= MAX_OVERRIDES_KEPT) overrides.delete(overrides.keys().next().value as string);
  overrides.set(id, limit);
  return limit;
}

/** Not by defineRule(), whose limits end at 10^9: envoy-limit.lua.test.ts has the proof that these count as exactly. */
function ruleOf(
  name: string,
  requestsPerUnit: number,
  unit: EnvoyUnit,
  onStoreFailure: StoreFailurePolicy,
): Rule {
  const written = {
    name: unit.toLowerCase(),
    algorithm: 'FIXED_WINDOW' as const,
    limit: requestsPerUnit,
    windowMicros: ENVOY_UNIT_MICROS[unit],
    burst: requestsPerUnit,
    shadow: false,
  };
  const keySuffix = keySuffixOf(written.name, written.algorithm, written.shadow);
  const limit: Limit = Object.freeze({ ...written, keySuffix });
  const definition = Object.freeze({
    name,
    limits: [written],
    mode: 'ENFORCED' as const,
    bypassRoles: [],
    onStoreFailure,
    overrides: [],
  });
  return Object.freeze({
    name,
    mode: 'ENFORCED',
    limits: Object.freeze([limit]),
    bypassRoles: Object.freeze([]),
    onStoreFailure,
    overrides: Object.freeze([]),
    definition,
    version: hash('sha256', JSON.stringify(definition), 'hex').slice(0, 16),
  });
}

/** What a rule may be named; where that is not the text itself, with a digest of it so that no two become one. */
function ruleNameOf(statKey: string): string {
  if (RULE_NAME.test(statKey)) return statKey;
  const start = statKey.slice(0, RULE_NAME_LENGTH - DIGEST_LENGTH - 1).replace(/[^A-Za-z0-9_.:/-]/g, '_');
  return `${start}-${hash('sha256', Buffer.from(statKey, 'utf16le'), 'hex').slice(0, DIGEST_LENGTH)}`;
}
