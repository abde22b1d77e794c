import type { LiveRules } from './live-rules.ts';
import { defineRule, type Rule, type RuleDefinition } from './rule.ts';
import { RuleAlreadyExists, RuleEtagMismatch, RuleNotFound, RuleNotLive } from './rule-errors.ts';
import { RuleSet } from './rule-set.ts';

/** Where a rule stands. */
export type RuleOrigin = 'BUILT_IN' | 'FILE' | 'LIVE';

/** A rule in force. */
export interface PlacedRule {
  readonly rule: Rule;
  readonly origin: RuleOrigin;
}

export interface RuleBookOptions {
  /** The rules to start from: with `api_default`, no name twice. */
  readonly base: readonly Rule[];
  readonly origin: 'BUILT_IN' | 'FILE';
  readonly live: LiveRules;
}

/**
 * The rules in force: those of the file (or built in), and over them, name by name, the live ones.
 *
 * A rule whose content stays the same stays the same object, with its limits, whatever else changes: what is kept by
 * their identity stays good.
 */
export class RuleBook {
  /** A new set after each change. */
  current: RuleSet;
  readonly #baseOrigin: 'BUILT_IN' | 'FILE';
  readonly #live: LiveRules;
  #base: RuleSet;
  #placed: readonly PlacedRule[] = [];

  /** @throws InvalidRule where the base lacks `api_default` or has a name twice */
  constructor({ base, origin, live }: RuleBookOptions) {
    this.#base = new RuleSet(base);
    this.#baseOrigin = origin;
    this.#live = live;
    this.current = this.#base;
    this.#rebuild();
    live.onChange(() => this.#rebuild());
  }

  /**
   * Puts other rules in the place of those that the live ones stand over.
   *
   * @throws InvalidRule where they lack `api_default` or have a name twice; the old ones then stay
   */
  replaceBase(base: readonly Rule[]): void {
    this.#base = new RuleSet(base);
    this.#rebuild();
  }

  /** All rules in force, by name (in the order of code units). */
  list(): readonly PlacedRule[] {
    return this.#placed;
  }

  /** @throws RuleNotFound */
  get(name: string): PlacedRule {
    const found = this.#placed.find(({ rule }) => rule.name === name);
    if (found === undefined) throw new RuleNotFound(name);
    return found;
  }

  /** @throws InvalidRule, RuleAlreadyExists, LiveRulesFull, StoreAway */
  async create(definition: RuleDefinition): Promise<PlacedRule> {
    const rule = defineRule(definition);
    await this.#live.change((live) => {
      if (this.#inForce(live, rule.name) !== undefined) throw new RuleAlreadyExists(rule.name);
      return [...live, rule];
    });
    return { rule, origin: 'LIVE' };
  }

  /**
   * Changes a rule. One that isn't live becomes so.
   *
   * @param change makes the new definition out of the one in force; it may run several times. The name must stay.
   * @param etag if not empty, the version that the rule must have
   * @throws InvalidRule, RuleNotFound, RuleEtagMismatch, LiveRulesFull, StoreAway
   */
  async update(
    name: string,
    change: (definition: Required<RuleDefinition>) => RuleDefinition,
    etag = '',
  ): Promise<PlacedRule> {
    let rule: Rule | undefined;
    await this.#live.change((live) => {
      const before = this.#inForce(live, name);
      if (before === undefined) throw new RuleNotFound(name);
      requireEtag(before, etag);
      rule = defineRule({ ...change(before.definition), name });
      return [...live.filter((each) => each.name !== name), rule];
    });
    return { rule: rule as Rule, origin: 'LIVE' };
  }

  /**
   * Takes a live rule away.
   *
   * @param etag if not empty, the version that the rule must have
   * @throws RuleNotFound, RuleNotLive, RuleEtagMismatch, StoreAway
   */
  async delete(name: string, etag = ''): Promise<void> {
    await this.#live.change((live) => {
      const before = this.#inForce(live, name);
      if (before === undefined) throw new RuleNotFound(name);
      requireEtag(before, etag);
      const rest = live.filter((each) => each.name !== name);
      if (rest.length === live.length) throw new RuleNotLive(name);
      return rest;
    });
  }

  #inForce(live: readonly Rule[], name: string): Rule | undefined {
    return live.find((each) => each.name === name) ?? this.#base.get(name);
  }

  #rebuild(): void {
    const placed = new Map<string, PlacedRule>();
    const place = (rules: Iterable<Rule>, origin: RuleOrigin) => {
      for (const rule of rules) {
        const before = this.current.get(rule.name);
        placed.set(rule.name, { rule: before?.version === rule.version ? before : rule, origin });
      }
    };
    place(this.#base, this.#baseOrigin);
    place(this.#live.rules, 'LIVE');
    this.#placed = [...placed.values()].sort((a, b) => (a.rule.name < b.rule.name ? -1 : 1));
    this.current = new RuleSet(this.#placed.map(({ rule }) => rule));
  }
}

function requireEtag({ name, version }: Rule, etag: string): void {
  if (etag !== '' && etag !== version) throw new RuleEtagMismatch(name, version);
}
