import type { StoreFailurePolicy } from '../rule.ts';
import type { EnvoyEntry, EnvoyLimit, EnvoyQuota, EnvoyUnit } from './envoy-config.ts';
import type { EnvoyDescriptorDefinition, EnvoyLimitDefinition } from './envoy-definition.ts';
import { rateQuota } from './envoy-limit.ts';
import { statKeyPart } from './stat-key.ts';

/** A limit, and what is known of those whom it counts before there is a request. */
export interface Leaf {
  readonly limit: EnvoyLimit;
  /** The statistics' name without the values that requests bring. */
  readonly baseStatKey: string;
  /** Its parts by depth, undefined where one is made of the request's value; undefined: the name is the base. */
  readonly statParts: readonly (string | undefined)[] | undefined;
  /** By depth, the pattern whose values share their threshold; undefined where there is none. */
  readonly sharedPatterns: readonly (string | undefined)[] | undefined;
}

/** What an entry matched. */
export interface Node {
  readonly leaf: Leaf | undefined;
  /** What the next entry can match. */
  readonly next: Level | undefined;
}

/** The way from a domain to a node. */
export interface Way {
  readonly statKey: string;
  readonly statParts: readonly (string | undefined)[];
  readonly sharedPatterns: readonly (string | undefined)[];
}

/** The nodes of one key. */
interface Choices {
  /** By value; patterns too, as a value may be just what a pattern is. */
  readonly values: Map<string, Node>;
  /** In the order of the file. */
  readonly patterns: { readonly prefix: string; readonly node: Node }[];
  /** For all other values. */
  other: Node | undefined;
}

/** One list of descriptors, made for finding. */
export class Level {
  readonly #choices = new Map<string, Choices>();

  /** @param descriptors checked: none is there twice */
  add(descriptors: readonly EnvoyDescriptorDefinition[], way: Way, onStoreFailure: StoreFailurePolicy): void {
    for (const descriptor of descriptors) {
      const { key, value } = descriptor;
      const node = nodeOf(descriptor, way, onStoreFailure);
      const choices = this.#choices.get(key) ?? noChoices();
      this.#choices.set(key, choices);
      if (value === '') choices.other = node;
      else choices.values.set(value, node);
      if (isPattern(value)) choices.patterns.push({ prefix: value.slice(0, -1), node });
    }
  }

  /** The node of just this value, else of the first pattern that it matches, else of the key alone. */
  find({ key, value }: EnvoyEntry): Node | undefined {
    const choices = this.#choices.get(key);
    if (choices === undefined) return undefined;
    const exact = choices.values.get(value);
    if (exact !== undefined) return exact;
    for (const { prefix, node } of choices.patterns) {
      if (value.startsWith(prefix)) return node;
    }
    return choices.other;
  }
}

function noChoices(): Choices {
  return { values: new Map(), patterns: [], other: undefined };
}

function nodeOf(descriptor: EnvoyDescriptorDefinition, from: Way, onStoreFailure: StoreFailurePolicy): Node {
  const { key, value, rateLimit, descriptors } = descriptor;
  const part = statKeyPart(key, value);
  const shared = descriptor.shareThreshold ? value : undefined;
  // A pattern that is shared stays: its values are one to whoever counts.
  const isOfRequest = descriptor.valueToMetric && shared === undefined && (value === '' || isPattern(value));
  const way: Way = {
    statKey: `${from.statKey}.${part}`,
    statParts: [...from.statParts, isOfRequest ? undefined : part],
    sharedPatterns: [...from.sharedPatterns, shared],
  };
  let next: Level | undefined;
  if (descriptors.length > 0) {
    next = new Level();
    next.add(descriptors, way, onStoreFailure);
  }
  return { leaf: rateLimit && leafOf(descriptor, rateLimit, way, onStoreFailure), next };
}

function leafOf(
  descriptor: EnvoyDescriptorDefinition,
  { name, replaces, ...written }: EnvoyLimitDefinition,
  { statKey, statParts, sharedPatterns }: Way,
  onStoreFailure: StoreFailurePolicy,
): Leaf {
  const parts = descriptor.detailedMetric
    ? statParts.map((part, depth) => (sharedPatterns[depth] === undefined ? undefined : part))
    : statParts;
  return {
    limit: Object.freeze({
      quota: quotaOf(written, statKey, onStoreFailure),
      name,
      replaces,
      shadowMode: descriptor.shadowMode,
      quotaMode: descriptor.quotaMode,
    }),
    baseStatKey: statKey,
    statParts: parts.includes(undefined) ? parts : undefined,
    sharedPatterns: sharedPatterns.some((pattern) => pattern !== undefined) ? sharedPatterns : undefined,
  };
}

function quotaOf(
  { rule, identifier, unlimited, unit, requestsPerUnit = 0 }: Omit<EnvoyLimitDefinition, 'name' | 'replaces'>,
  statKey: string,
  onStoreFailure: StoreFailurePolicy,
): EnvoyQuota {
  if (rule !== '') return Object.freeze({ kind: 'RULE', rule, identifier });
  if (unlimited) return Object.freeze({ kind: 'UNLIMITED' });
  return rateQuota(statKey, requestsPerUnit, unit as EnvoyUnit, onStoreFailure);
}

function isPattern(value: string): boolean {
  return value.endsWith('*');
}
