import type { LiveRules } from '../domain/live-rules.ts';
import type { Rule } from '../domain/rule.ts';
import { type LiveDocument, NO_LIVE_RULES, nextDocument } from './live-document.ts';
import type { RulesSnapshot } from './rules-snapshot.ts';

/** Live rules of this process alone. They end with it, unless there is a snapshot. */
export class MemoryLiveRules implements LiveRules {
  readonly #snapshot: RulesSnapshot | undefined;
  readonly #listeners: (() => void)[] = [];
  #document: LiveDocument = NO_LIVE_RULES;

  constructor(snapshot?: RulesSnapshot) {
    this.#snapshot = snapshot;
  }

  get rules(): readonly Rule[] {
    return this.#document.rules;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Reads the snapshot. */
  async start(): Promise<void> {
    this.#document = (await this.#snapshot?.load()) ?? NO_LIVE_RULES;
  }

  async change(edit: (rules: readonly Rule[]) => readonly Rule[]): Promise<void> {
    const { revision, rules } = this.#document;
    this.#document = nextDocument(revision, edit(rules));
    this.#snapshot?.save(this.#document);
    for (const listener of this.#listeners) listener();
  }
}
