import type { EnvoyEntry, EnvoyUnit } from './envoy-config.ts';

/** What Envoy asks about one request of its own. */
export interface EnvoyRequest {
  readonly domain: string;
  readonly descriptors: readonly EnvoyDescriptor[];
}

/** One thing that the request counts against. */
export interface EnvoyDescriptor {
  /** At least one. */
  readonly entries: readonly EnvoyEntry[];
  /** An integer from 0, which only looks, to 2^32 - 1. */
  readonly hits: number;
  /** Whether the hits are given back instead of taken. */
  readonly givesBack: boolean;
  /** In place of the configured limit. */
  readonly override: EnvoyOverride | undefined;
}

/** A limit that the caller brings. */
export interface EnvoyOverride {
  /** An integer from 0 to 2^32 - 1. */
  readonly requestsPerUnit: number;
  readonly unit: EnvoyUnit;
}
