import type { Rule } from '../rule.ts';

/** Units of time of Envoy's rate-limit API. A month is 30 days and a year 365, as in its reference implementation. */
export type EnvoyUnit = 'SECOND' | 'MINUTE' | 'HOUR' | 'DAY' | 'WEEK' | 'MONTH' | 'YEAR';

/** A part of a descriptor, from the general to the particular. */
export interface EnvoyEntry {
  readonly key: string;
  readonly value: string;
}

/** How much a descriptor may use. */
export type EnvoyQuota =
  /** Nothing is counted. */
  | { readonly kind: 'UNLIMITED' }
  /**
   * Hits a unit, counted from the unit's beginning since 1970. `rule` has the one limit that counts them (FIXED_WINDOW);
   * undefined where `requestsPerUnit` is 0, which lets nothing pass.
   */
  | {
      readonly kind: 'RATE';
      readonly requestsPerUnit: number;
      readonly unit: EnvoyUnit;
      readonly rule: Rule | undefined;
    }
  /** A rule of this service by its name. */
  | {
      readonly kind: 'RULE';
      readonly rule: string;
      /** Who is counted: text with `{key}` for values of the descriptor; undefined: the descriptor itself. */
      readonly identifier: string | undefined;
    };

/** What the configuration says to a descriptor. Immutable. */
export interface EnvoyLimit {
  readonly quota: EnvoyQuota;
  /** The name by which another limit can replace it; often ''. */
  readonly name: string;
  /** Names of limits that don't hold where this one does. */
  readonly replaces: readonly string[];
  /** Counted, and never over the limit. */
  readonly shadowMode: boolean;
  /** Over the limit only where all limits of this mode are. */
  readonly quotaMode: boolean;
}

/** A limit that a descriptor has. */
export interface EnvoyMatch {
  readonly limit: EnvoyLimit;
  /**
   * Who is counted: the descriptor's entries as one text, no two alike; a value that shares its threshold with others
   * stands there as their pattern.
   */
  readonly identifier: string;
  /**
   * Under which name statistics count it, for example `edge.remote_address` or, with `detailed_metric`,
   * `edge.remote_address_203.0.113.9`.
   */
  readonly statKey: string;
  /** The same without anything that a request brings: as many as there are limits in the configuration. */
  readonly baseStatKey: string;
}

/** All of Envoy's limits that are in force at one moment. Immutable. */
export interface EnvoyConfig {
  readonly domains: readonly string[];
  /** The limit of a descriptor; undefined where it has none, or nobody knows the domain. */
  match(domain: string, entries: readonly EnvoyEntry[]): EnvoyMatch | undefined;
}
