import type { Duration } from '@bufbuild/protobuf/wkt';
import { Algorithm } from '../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  type CheckLimitRequest,
  type CheckLimitResponse,
  DecisionSource,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';

interface Denial {
  readonly decision: CheckLimitResponse;
  /** What was denied, in units; more is denied too. */
  readonly cost: number;
  /** The smallest enforced limit, in units. */
  readonly mostCost: number;
  /** Of the check: other roles may bypass the limit. */
  readonly roles: string;
  /** By performance.now(): when there is room again, and until when this is believed. */
  readonly roomAt: number;
  readonly until: number;
}

/** Denials that hold until units come back by time alone: those of a store that all replicas share. */
const LASTING: ReadonlySet<DecisionSource> = new Set([
  DecisionSource.REDIS,
  DecisionSource.MEMORY,
  DecisionSource.CACHE,
]);

/**
 * The denials of the last moments, to answer the same again without asking: of checks with one key, until there is
 * room again, `maxMs` at most. For so long a reset of the limit, an edit of its rule or a refund by another process
 * goes unnoticed. Units held at one time (CONCURRENCY) come back at any moment, so their denials are not kept.
 */
export class DenialMemory {
  readonly #maxKeys: number;
  readonly #maxMs: number;
  readonly #denials = new Map<string, Denial>();
  /** Which key a receipt took units of. */
  readonly #receipts = new Map<string, string>();
  /** When units were given back last, by performance.now(). */
  #refundedAt = Number.NEGATIVE_INFINITY;

  /** @param maxKeys of denials, and of receipts; the oldest makes way */
  constructor(maxKeys: number, maxMs: number) {
    this.#maxKeys = maxKeys;
    this.#maxMs = maxMs;
  }

  /** The denial that this check would be answered with, as of now. */
  recall(check: CheckLimitRequest): CheckLimitResponse | undefined {
    if (this.#denials.size === 0 || check.also.length > 0) return undefined;
    const key = keyOf(check);
    const denial = this.#denials.get(key);
    if (denial === undefined) return undefined;
    const now = performance.now();
    if (now >= denial.until) {
      this.#denials.delete(key);
      return undefined;
    }
    const cost = costOf(check);
    const { decision } = denial;
    // A cost above a limit is refused with an error, which the service words.
    if (cost < denial.cost || cost > denial.mostCost || denial.roles !== rolesOf(check)) return undefined;
    return { ...decision, retryAfter: duration(denial.roomAt - now), source: DecisionSource.CACHE };
  }

  /** Notes what a check was answered. @param askedAt performance.now() of when it was asked */
  note(check: CheckLimitRequest, decision: CheckLimitResponse, askedAt: number): void {
    if (check.also.length > 0) return;
    if (decision.allowed) {
      if (decision.receipt !== '') this.#put(this.#receipts, decision.receipt, keyOf(check));
      return;
    }
    const { retryAfter, source, algorithm } = decision;
    if (retryAfter === undefined || algorithm === Algorithm.CONCURRENCY || !LASTING.has(source)) return;
    // It may have been decided before units were given back.
    if (askedAt <= this.#refundedAt) return;
    const roomAt = askedAt + milliseconds(retryAfter);
    const until = Math.min(roomAt, askedAt + this.#maxMs);
    this.#put(this.#denials, keyOf(check), {
      ...{ decision, cost: costOf(check), mostCost: mostCostOf(decision), roles: rolesOf(check) },
      ...{ roomAt, until },
    });
  }

  /** Forgets what a refund with this receipt may have made untrue. */
  forget(receipt: string): void {
    this.#refundedAt = performance.now();
    const key = this.#receipts.get(receipt);
    this.#receipts.delete(receipt);
    if (key === undefined) this.#denials.clear();
    else this.#denials.delete(key);
  }

  #put<V>(entries: Map<string, V>, key: string, value: V): void {
    entries.delete(key);
    if (entries.size >= this.#maxKeys) {
      for (const oldest of entries.keys()) {
        entries.delete(oldest);
        break;
      }
    }
    entries.set(key, value);
  }
}

/** The key, unambiguously: the endpoint can't run into the identifier. */
function keyOf({ endpoint, identifier }: CheckLimitRequest): string {
  return `${endpoint.length}:${endpoint}${identifier}`;
}

function rolesOf({ roles }: CheckLimitRequest): string {
  return roles.length === 0 ? '' : JSON.stringify(roles);
}

function costOf({ cost }: CheckLimitRequest): number {
  return cost === 0 ? 1 : cost;
}

/** Where there are several limits, the one that decided need not be the smallest. */
function mostCostOf({ limit, limits }: CheckLimitResponse): number {
  return limits.reduce((least, other) => (other.shadow ? least : Math.min(least, other.limit)), limit);
}

function milliseconds({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1000 + nanos / 1e6;
}

function duration(ms: number): Duration {
  const nanos = Math.ceil(ms * 1e6);
  const seconds = Math.floor(nanos / 1e9);
  return { $typeName: 'google.protobuf.Duration', seconds: BigInt(seconds), nanos: nanos - seconds * 1e9 };
}
