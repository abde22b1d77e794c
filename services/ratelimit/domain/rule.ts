import { createHash } from 'node:crypto';
import { InvalidRule, type RuleFault } from './errors.ts';
import { defineLimit, type Limit, type LimitDefinition } from './limit.ts';

/**
 * What happens while the shared store is away: `FAIL_LOCAL` counts in this process alone, against its share of the
 * limit; `FAIL_OPEN` allows without counting; `FAIL_CLOSED` denies.
 */
export type StoreFailurePolicy = 'FAIL_LOCAL' | 'FAIL_OPEN' | 'FAIL_CLOSED';

/**
 * Whether limits are enforced: `SHADOW` counts apart and enforces nothing; `UNLIMITED` and `DISABLED` count nothing, the
 * one since there is no limit, the other since the rule is switched off.
 */
export type RuleMode = 'ENFORCED' | 'SHADOW' | 'UNLIMITED' | 'DISABLED';

/** What holds for an identifier. */
export interface Terms {
  readonly mode: RuleMode;
  /** As they are asked: all of them shadows where the mode is `SHADOW`, none where it counts nothing. */
  readonly limits: readonly Limit[];
}

/** Instead of the rule's own terms, for the identifiers that a pattern matches. */
export interface RuleOverride extends Terms {
  /** An identifier, or a pattern in which each `*` stands for any text. */
  readonly identifier: string;
}

/** How much of one endpoint one identifier may use. Immutable; made by {@link defineRule}. */
export interface Rule extends Terms {
  /** The endpoint that the rule is for: 1 to 128 characters of `A-Z a-z 0-9 _ . : / -`. */
  readonly name: string;
  /** Roles that pass without being counted; sorted, each once. */
  readonly bypassRoles: readonly string[];
  readonly onStoreFailure: StoreFailurePolicy;
  readonly overrides: readonly RuleOverride[];
  /** What it was made of, complete: for those who change or store rules. */
  readonly definition: Required<RuleDefinition>;
  /** 16 hex digits of SHA-256 over all other fields: equal content, equal version. */
  readonly version: string;
}

export interface OverrideDefinition {
  readonly identifier: string;
  /** Default: `ENFORCED`. */
  readonly mode?: RuleMode;
  /** Default: none, where the mode counts nothing. */
  readonly limits?: readonly LimitDefinition[];
}

/** What a rule is made of. */
export interface RuleDefinition {
  readonly name: string;
  /** 1 to {@link MAX_LIMITS}; their names differ. None where the mode counts nothing. */
  readonly limits: readonly LimitDefinition[];
  /** Default: `ENFORCED`. */
  readonly mode?: RuleMode;
  /** Default: `admin`. */
  readonly bypassRoles?: readonly string[];
  readonly onStoreFailure: StoreFailurePolicy;
  readonly overrides?: readonly OverrideDefinition[];
}

export const MAX_LIMITS = 8;
export const MAX_BYPASS_ROLES = 32;
export const MAX_OVERRIDES = 10_000;
/** Patterns are tried one by one. */
const MAX_PATTERNS = 100;
export const RULE_NAME = /^[A-Za-z0-9_.:/-]{1,128}$/;

const MODES: readonly string[] = ['ENFORCED', 'SHADOW', 'UNLIMITED', 'DISABLED'];
const FAILURE_POLICIES: readonly string[] = ['FAIL_LOCAL', 'FAIL_OPEN', 'FAIL_CLOSED'];
const CONTROL_CHARACTER = /\p{Cc}/u;

type Refuse = (field: string, description: string) => void;

/**
 * Makes a rule out of its definition.
 *
 * @throws InvalidRule naming each field that breaks the bounds given at {@link RuleDefinition}.
 */
export function defineRule(definition: RuleDefinition): Rule {
  const { name, mode = 'ENFORCED', onStoreFailure, overrides = [] } = definition;
  const faults: RuleFault[] = [];
  const refuse: Refuse = (field, description) => faults.push({ field, description });
  if (!RULE_NAME.test(name)) refuse('name', 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -');
  if (!FAILURE_POLICIES.includes(onStoreFailure)) {
    refuse('on_store_failure', `must be one of ${FAILURE_POLICIES.join(', ')}`);
  }
  const bypassRoles = [...new Set(definition.bypassRoles ?? ['admin'])].sort();
  checkRoles(bypassRoles, refuse);
  const terms = defineTerms(mode, definition.limits, refuse);
  const definedOverrides = defineOverrides(overrides, refuse);
  if (faults.length > 0) throw new InvalidRule(name, faults);

  const complete = Object.freeze({
    name,
    limits: completeLimits(definition.limits),
    mode,
    bypassRoles,
    onStoreFailure,
    overrides: overrides.map((each) => ({
      identifier: each.identifier,
      mode: each.mode ?? 'ENFORCED',
      limits: completeLimits(each.limits ?? []),
    })),
  });
  const version = createHash('sha256').update(JSON.stringify(complete)).digest('hex').slice(0, 16);
  return Object.freeze({
    name,
    ...terms,
    bypassRoles: Object.freeze(bypassRoles),
    onStoreFailure,
    overrides: definedOverrides,
    definition: complete,
    version,
  });
}

/** Whether nothing is counted at all in a mode. */
function countsNothing(mode: RuleMode): boolean {
  return mode === 'UNLIMITED' || mode === 'DISABLED';
}

function checkRoles(roles: readonly string[], refuse: Refuse): void {
  if (roles.length > MAX_BYPASS_ROLES)
    refuse('bypass_roles', `must have at most ${MAX_BYPASS_ROLES} entries`);
  if (roles.some((role) => role === '' || Buffer.byteLength(role) > 64)) {
    refuse('bypass_roles', 'must have 1 to 64 bytes each');
  }
}

function defineOverrides(overrides: readonly OverrideDefinition[], refuse: Refuse): readonly RuleOverride[] {
  if (overrides.length > MAX_OVERRIDES) refuse('overrides', `must have at most ${MAX_OVERRIDES} entries`);
  const seen = new Set<string>();
  let patterns = 0;
  const defined = overrides.map(({ identifier, mode = 'ENFORCED', limits = [] }, index) => {
    const refuseHere: Refuse = (field, description) => refuse(`overrides[${index}].${field}`, description);
    if (identifier === '' || Buffer.byteLength(identifier) > 256 || CONTROL_CHARACTER.test(identifier)) {
      refuseHere('identifier', 'must be 1 to 256 bytes without control characters');
    }
    if (seen.has(identifier)) refuseHere('identifier', 'is there twice');
    seen.add(identifier);
    if (identifier.includes('*')) {
      patterns += 1;
      if (patterns > MAX_PATTERNS) refuseHere('identifier', `is one of more than ${MAX_PATTERNS} with a *`);
    }
    return Object.freeze({ identifier, ...defineTerms(mode, limits, refuseHere) });
  });
  return Object.freeze(defined);
}

function defineTerms(mode: RuleMode, limits: readonly LimitDefinition[], refuse: Refuse): Terms {
  const counts = !countsNothing(mode);
  if (!MODES.includes(mode)) refuse('mode', `must be one of ${MODES.join(', ')}`);
  else if (counts && limits.length === 0) refuse('limits', `must not be empty with mode ${mode}`);
  if (limits.length > MAX_LIMITS) refuse('limits', `must have at most ${MAX_LIMITS} entries`);
  const names = new Set<string>();
  const defined = limits.map((definition, index) => {
    const refuseHere: Refuse = (field, description) => refuse(`limits[${index}].${field}`, description);
    const limit = defineLimit(mode === 'SHADOW' ? { ...definition, shadow: true } : definition, refuseHere);
    if (names.has(limit.name)) {
      refuseHere(
        'name',
        limit.name === '' ? 'must be set where a rule has several limits' : 'is there twice',
      );
    }
    names.add(limit.name);
    return limit;
  });
  return { mode, limits: Object.freeze(counts ? defined : []) };
}

/** The limits as given, with every default written out, so that equal content has one form. */
function completeLimits(limits: readonly LimitDefinition[]): readonly Required<LimitDefinition>[] {
  return limits.map((each) => ({
    name: each.name ?? '',
    algorithm: each.algorithm ?? 'SLIDING_WINDOW_LOG',
    limit: each.limit,
    windowMicros: each.windowMicros,
    burst: each.burst ?? each.limit,
    shadow: each.shadow ?? false,
  }));
}
