import type { Rule } from './rule.ts';

/** The most rules that are live at one time. */
export const MAX_LIVE_RULES = 1_000;

/** Rules that are made and changed while the service runs, shared by all replicas. */
export interface LiveRules {
  /** As this process knows them now; no two have the same name. */
  readonly rules: readonly Rule[];
  /** Calls `listener` after each change of {@link rules}, whoever made it. */
  onChange(listener: () => void): void;
  /**
   * Changes the rules as one step that nobody else's comes between. In force in this process once it resolves.
   *
   * @param edit makes the new rules out of those of now. It may run several times; what it throws is passed on, and
   *   nothing has changed then.
   * @throws LiveRulesFull, StoreAway
   */
  change(edit: (rules: readonly Rule[]) => readonly Rule[]): Promise<void>;
}
