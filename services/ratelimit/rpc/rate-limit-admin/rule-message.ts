import { create, type MessageShape } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import { type Limit, LimitSchema } from '../../../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  type Rule as RuleMessage,
  RuleMode,
  RuleOrigin,
  RuleSchema,
  StoreFailurePolicy,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import type { LimitDefinition } from '../../domain/limit.ts';
import type { RuleMode as Mode, StoreFailurePolicy as Policy, RuleDefinition } from '../../domain/rule.ts';
import type { RuleOrigin as Origin, PlacedRule } from '../../domain/rule-book.ts';
import { ALGORITHM_VALUES, duration } from '../rate-limit/decision-response.ts';

/** A rule in force, in the contract's form. */
export function ruleMessage({ rule, origin }: PlacedRule): MessageShape<typeof RuleSchema> {
  const { name, limits, mode, bypassRoles, onStoreFailure, overrides } = rule.definition;
  return create(RuleSchema, {
    name,
    limits: limits.map(limitMessage),
    mode: MODE_VALUES[mode],
    bypassRoles: [...bypassRoles],
    onStoreFailure: POLICY_VALUES[onStoreFailure],
    overrides: overrides.map((each) => ({
      identifier: each.identifier,
      mode: MODE_VALUES[each.mode ?? 'ENFORCED'],
      limits: (each.limits ?? []).map(limitMessage),
    })),
    etag: rule.version,
    origin: ORIGIN_VALUES[origin],
  });
}

/**
 * What a message says a rule should be. Its bounds are still to be checked, by defineRule: what the contract's form can
 * hold and the domain's can't, such as an enum's unknown number, comes out as a value that is refused there.
 */
export function ruleDefinition(message: RuleMessage): Required<RuleDefinition> {
  return {
    name: message.name,
    limits: message.limits.map(limitDefinition),
    mode: modeOf(message.mode),
    bypassRoles: message.bypassRoles,
    onStoreFailure: policyOf(message.onStoreFailure),
    overrides: message.overrides.map(({ identifier, mode, limits }) => ({
      identifier,
      mode: modeOf(mode),
      limits: limits.map(limitDefinition),
    })),
  };
}

function limitMessage({ name, algorithm, limit, windowMicros, burst, shadow }: LimitDefinition): Limit {
  const message = create(LimitSchema, { name: name ?? '', limit, window: duration(windowMicros) });
  message.algorithm = ALGORITHM_VALUES[algorithm ?? 'SLIDING_WINDOW_LOG'];
  // Elsewhere it is the limit: it would have to be changed along with that by whoever sends the rule back.
  if (algorithm === 'TOKEN_BUCKET') message.burst = burst ?? limit;
  message.shadow = shadow ?? false;
  return message;
}

function limitDefinition({ name, algorithm, limit, window, burst, shadow }: Limit): LimitDefinition {
  const definition = {
    name,
    algorithm: algorithm === 0 ? 'SLIDING_WINDOW_LOG' : nameOf(ALGORITHM_VALUES, algorithm),
    limit,
    windowMicros: window === undefined ? Number.NaN : microsOf(window),
    shadow,
  };
  return burst === 0 ? definition : { ...definition, burst };
}

/** NaN where it is not of whole microseconds. */
function microsOf({ seconds, nanos }: Duration): number {
  if (nanos < 0 || nanos > 999_999_999 || nanos % 1000 !== 0) return Number.NaN;
  return Number(seconds) * 1_000_000 + nanos / 1000;
}

function modeOf(value: RuleMode): Mode {
  return value === RuleMode.UNSPECIFIED ? 'ENFORCED' : nameOf(MODE_VALUES, value);
}

function policyOf(value: StoreFailurePolicy): Policy {
  return value === StoreFailurePolicy.UNSPECIFIED ? 'FAIL_OPEN' : nameOf(POLICY_VALUES, value);
}

/** An unknown number has no name; as a text it is one that the domain refuses. */
function nameOf<Name extends string>(values: Readonly<Record<Name, number>>, value: number): Name {
  for (const name in values) {
    if (values[name] === value) return name;
  }
  return String(value) as Name;
}

const MODE_VALUES: Readonly<Record<Mode, RuleMode>> = {
  ENFORCED: RuleMode.ENFORCED,
  SHADOW: RuleMode.SHADOW,
  UNLIMITED: RuleMode.UNLIMITED,
  DISABLED: RuleMode.DISABLED,
};

const POLICY_VALUES: Readonly<Record<Policy, StoreFailurePolicy>> = {
  FAIL_LOCAL: StoreFailurePolicy.FAIL_LOCAL,
  FAIL_OPEN: StoreFailurePolicy.FAIL_OPEN,
  FAIL_CLOSED: StoreFailurePolicy.FAIL_CLOSED,
};

const ORIGIN_VALUES: Readonly<Record<Origin, RuleOrigin>> = {
  BUILT_IN: RuleOrigin.BUILT_IN,
  FILE: RuleOrigin.FILE,
  LIVE: RuleOrigin.LIVE,
};
