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

/** The way from a domain to a node. */
export interface Way {
  readonly onStoreFailure: StoreFailurePolicy;
  readonly statKey: string;
  readonly statParts: readonly (string | undefined)[];
  readonly sharedPatterns: readonly (string | undefined)[];
}

/**
 * What an entry matched. What follows from its definition is made when it is first asked for: of 40,000 limits that a
 * reload brings at once it would hold up checks by 100 ms.
 */
export class Node {
  readonly #descriptor: EnvoyDescriptorDefinition;
  readonly #from: Way;
  #way: Way | undefined;
  #leaf: Leaf | undefined;
  #next: Level | undefined;

  constructor(descriptor: EnvoyDescriptorDefinition, from: Way) {
    this.#descriptor = descriptor;
    this.#from = from;
  }

  get leaf(): Leaf | undefined {
    const { rateLimit } = this.#descriptor;
    this.#leaf ??= rateLimit && leafOf(this.#descriptor, rateLimit, this.#wayHere());
    return this.#leaf;
  }

  /** What the next entry can match. */
  get next(): Level | undefined {
    const { descriptors } = this.#descriptor;
    if (this.#next === undefined && descriptors.length > 0) {
      this.#next = new Level();
      this.#next.add(descriptors, this.#wayHere());
    }
    return this.#next;
  }

  #wayHere(): Way {
    this.#way ??= wayTo(this.#descriptor, this.#from);
    return this.#way;
  }
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
  add(descriptors: readonly EnvoyDescriptorDefinition[], way: Way): void {
    for (const descriptor of descriptors) {
      const { key, value } = descriptor;
      const node = new Node(descriptor, way);
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

function wayTo(descriptor: EnvoyDescriptorDefinition, from: Way): Way {
  const { key, value } = descriptor;
  const part = statKeyPart(key, value);
  const shared = descriptor.shareThreshold ? value : undefined;
  // A pattern that is shared stays: its values are one to whoever counts.
  const isOfRequest = descriptor.valueToMetric && shared === undefined && (value === '' || isPattern(value));
  return {
    onStoreFailure: from.onStoreFailure,
    statKey: `${from.statKey}.${part}`,
    statParts: [...from.statParts, isOfRequest ? undefined : part],
    sharedPatterns: [...from.sharedPatterns, shared],
  };
}

function leafOf(
  descriptor: EnvoyDescriptorDefinition,
  { name, replaces, ...written }: EnvoyLimitDefinition,
  { onStoreFailure, statKey, statParts, sharedPatterns }: Way,
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
