import type { Clock } from '../clock.ts';
import { type Decision, decided } from '../decision.ts';
import type { Limit } from '../limit.ts';
import type { LimitState } from '../limit-store.ts';
import type { EnvoyUnit } from './envoy-config.ts';
import { ENVOY_UNIT_MICROS } from './envoy-unit.ts';
import type { DescriptorVerdict } from './should-limit-asks.ts';
import type { DescriptorPlan } from './should-limit-plan.ts';

/** What is left of a limit that has no end. */
const UNLIMITED = 4_294_967_295;

/** The limit that a descriptor was held to. */
export interface CurrentLimit {
  readonly requestsPerUnit: number;
  /** Undefined: a length of time that has no name. */
  readonly unit: EnvoyUnit | undefined;
  /** Often ''. */
  readonly name: string;
}

/** The answer to one descriptor. */
export interface DescriptorStatus {
  readonly over: boolean;
  /** Undefined where there is none. */
  readonly currentLimit: CurrentLimit | undefined;
  /** Hits left. */
  readonly remaining: number;
  /**
   * Until the unit ends, in µs; for a rule until the whole limit is back, and where it is over until the same hits have
   * room. Undefined where there is no limit.
   */
  readonly untilResetMicros: number | undefined;
  /** Whether the limit stops nothing, and whether it would have. */
  readonly shadow: boolean;
  readonly shadowOver: boolean;
  /** What the limits said; undefined where none was asked. */
  readonly decision: Decision | undefined;
}

/** Nothing limits the descriptor. */
export const NOT_LIMITED: DescriptorStatus = {
  over: false,
  currentLimit: undefined,
  remaining: 0,
  untilResetMicros: undefined,
  shadow: false,
  shadowOver: false,
  decision: undefined,
};

/** @param verdict undefined where no limit was asked */
export function statusOf(
  plan: DescriptorPlan,
  verdict: DescriptorVerdict | undefined,
  clock: Clock,
): DescriptorStatus {
  const { match, terms, mode, descriptor, shadowDenied } = plan;
  if (match === undefined) return NOT_LIMITED;
  const { quota, name } = match.limit;
  const shadow = mode === 'SHADOW';
  if (verdict === undefined) {
    if (quota.kind !== 'RATE') return { ...NOT_LIMITED, remaining: UNLIMITED };
    const { requestsPerUnit, unit } = quota;
    const isOver = !descriptor.givesBack;
    return {
      over: isOver && !shadow,
      currentLimit: { requestsPerUnit, unit, name },
      remaining: 0,
      untilResetMicros: untilEnd(clock(), ENVOY_UNIT_MICROS[unit]),
      shadow,
      shadowOver: isOver && shadow,
      decision: undefined,
    };
  }
  const { source, states, over } = verdict;
  const decision = decided(terms, states, source, '', shadowDenied);
  const limit = decision.limit as Limit;
  return {
    over: over && !shadow,
    currentLimit:
      quota.kind === 'RATE'
        ? { requestsPerUnit: quota.requestsPerUnit, unit: quota.unit, name }
        : { requestsPerUnit: limit.limit, unit: unitOf(limit), name: decision.rule.name },
    remaining: over && shadow ? 0 : decision.remaining,
    untilResetMicros: untilReset(limit, decision, clock),
    shadow,
    shadowOver: over && shadow,
    decision,
  };
}

function unitOf({ windowMicros, algorithm }: Limit): EnvoyUnit | undefined {
  if (algorithm === 'CONCURRENCY') return undefined;
  for (const [unit, micros] of Object.entries(ENVOY_UNIT_MICROS)) {
    if (micros === windowMicros) return unit as EnvoyUnit;
  }
  return undefined;
}

function untilReset({ algorithm, limit, windowMicros }: Limit, state: LimitState, clock: Clock): number {
  const { remaining, resetMicros, retryAfterMicros } = state;
  // The store's own reckoning; what follows needs this process's clock, which may be another.
  if (retryAfterMicros > 0) return retryAfterMicros;
  const left = Math.max(0, resetMicros - clock());
  if (algorithm !== 'FIXED_WINDOW') return left;
  // Where nothing is counted the store tells its time, and else the end of the window.
  const isEnd = remaining < limit && resetMicros % windowMicros === 0;
  return isEnd ? Math.min(windowMicros, left) : untilEnd(resetMicros, windowMicros);
}

function untilEnd(nowMicros: number, windowMicros: number): number {
  return windowMicros - (nowMicros % windowMicros);
}
