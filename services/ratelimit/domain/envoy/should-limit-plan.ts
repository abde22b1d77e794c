import type { Check } from '../check.ts';
import { type CheckPlan, type CheckTerm, planCheck } from '../check-plan.ts';
import { CostExceedsLimit } from '../errors.ts';
import { limitKey } from '../limit-key.ts';
import type { StoreFailurePolicy } from '../rule.ts';
import type { RuleSet } from '../rule-set.ts';
import type { EnvoyConfig, EnvoyMatch } from './envoy-config.ts';
import { envoyIdentifier } from './envoy-identifier.ts';
import { overrideLimit } from './envoy-limit.ts';
import { fillIdentifier } from './identifier-template.ts';
import type { EnvoyDescriptor, EnvoyRequest } from './should-limit-request.ts';
import { statKeyOf } from './stat-key.ts';

/** Whether a limit stops a request by itself, never, or together with all others of its kind. */
export type LimitMode = 'ENFORCED' | 'SHADOW' | 'QUOTA';

/** How the endpoints begin that hits count under by Envoy's configuration. No caller can ask for such a one. */
export const ENVOY_ENDPOINTS = 'envoy|';

/** What a descriptor asks of the store. */
export interface DescriptorPlan {
  readonly descriptor: EnvoyDescriptor;
  /** Its limit; undefined where nothing limits it. */
  readonly match: EnvoyMatch | undefined;
  readonly mode: LimitMode;
  /** The same as a check, for those who look at decisions. */
  readonly check: Check;
  /** The limits to ask, for the hits, or for 1 where these are none or more than a limit ever has. */
  readonly terms: readonly CheckTerm[];
  /** Whether the hits are more than a shadow limit of a rule ever has, which therefore is not asked. */
  readonly shadowDenied: boolean;
}

/** What the plans are made from. */
export interface PlanSources {
  readonly config: EnvoyConfig;
  readonly rules: RuleSet;
  /** Of limits that callers bring. */
  readonly onStoreFailure: StoreFailurePolicy;
}

/** Finds the limits that a request has to keep: one plan a descriptor, in order. */
export function planDescriptors(sources: PlanSources, request: EnvoyRequest): readonly DescriptorPlan[] {
  const { domain, descriptors } = request;
  const matches = descriptors.map((descriptor) => matchOf(sources, domain, descriptor));
  const replaced = new Set(matches.flatMap((match) => match?.limit.replaces ?? []));
  return descriptors.map((descriptor, index) => {
    const match = matches[index];
    return planDescriptor(sources.rules, domain, descriptor, isReplaced(match, replaced) ? undefined : match);
  });
}

/** There is nothing to replace of a limit without an end. */
function isReplaced(match: EnvoyMatch | undefined, replaced: ReadonlySet<string>): boolean {
  return match !== undefined && match.limit.quota.kind !== 'UNLIMITED' && replaced.has(match.limit.name);
}

/** Whether a limit never has room for what is asked of it. */
export function neverHasRoom({ limit }: CheckTerm, hits: number): boolean {
  return hits > limit.burst;
}

/** Whether a limit lets nothing pass at all. */
export function isClosed(match: EnvoyMatch | undefined): boolean {
  return match?.limit.quota.kind === 'RATE' && match.limit.quota.rule === undefined;
}

function matchOf(
  { config, onStoreFailure }: PlanSources,
  domain: string,
  { entries, override }: EnvoyDescriptor,
): EnvoyMatch | undefined {
  if (override === undefined) return config.match(domain, entries);
  if (entries.length === 0 || !config.domains.includes(domain)) return undefined;
  return {
    limit: overrideLimit(override.requestsPerUnit, override.unit, onStoreFailure),
    identifier: envoyIdentifier(entries),
    statKey: statKeyOf(domain, entries),
    baseStatKey: domain,
  };
}

function planDescriptor(
  rules: RuleSet,
  domain: string,
  descriptor: EnvoyDescriptor,
  match: EnvoyMatch | undefined,
): DescriptorPlan {
  const { entries, hits, givesBack } = descriptor;
  const quota = match?.limit.quota;
  const asRule = quota?.kind === 'RULE';
  const template = asRule ? quota.identifier : undefined;
  const check: Check = {
    endpoint: asRule ? quota.rule : `${ENVOY_ENDPOINTS}${domain}`,
    identifier: template === undefined ? (match?.identifier ?? '') : fillIdentifier(template, entries),
    cost: givesBack || hits === 0 ? 1 : hits,
    roles: [],
    also: [],
    refundable: false,
  };
  const { terms, shadowDenied } = asRule ? ruleTerms(rules, check) : rateTerms(match, check);
  return { descriptor, match, mode: modeOf(match), check, terms, shadowDenied };
}

function modeOf(match: EnvoyMatch | undefined): LimitMode {
  if (match?.limit.shadowMode) return 'SHADOW';
  return match?.limit.quotaMode ? 'QUOTA' : 'ENFORCED';
}

type Asking = Pick<CheckPlan, 'terms' | 'shadowDenied'>;

/** By our rules, as CheckLimit would: the counts are shared with it. */
function ruleTerms(rules: RuleSet, check: Check): Asking {
  try {
    return planCheck(rules, check, '');
  } catch (error) {
    if (!(error instanceof CostExceedsLimit)) throw error;
    return planCheck(rules, { ...check, cost: 1 }, '');
  }
}

function rateTerms(match: EnvoyMatch | undefined, { endpoint, identifier, cost }: Check): Asking {
  const quota = match?.limit.quota;
  const rule = quota?.kind === 'RATE' ? quota.rule : undefined;
  const limit = rule?.limits[0];
  if (rule === undefined || limit === undefined) return { terms: [], shadowDenied: false };
  const key = limitKey(endpoint, identifier) + limit.keySuffix;
  const possible = cost <= limit.burst ? cost : 1;
  return {
    terms: [{ key, limit, cost: possible, rule, endpoint, identifier }],
    shadowDenied: false,
  };
}
