import type { Logger } from '../../../runtime/logger.ts';
import { repeat } from '../../../runtime/timers.ts';
import type { Rule } from '../domain/rule.ts';
import { InvalidRuleFile, loadRuleFile, parseRuleFile } from './rule-file.ts';

export interface RuleFileWatchOptions {
  readonly path: string;
  /** The content whose rules are in force. */
  readonly content: Buffer;
  readonly logger: Logger;
  /** Called with the rules of each new content that is good. */
  readonly onRules: (rules: readonly Rule[]) => void;
  /** How often the file is read, in ms. Default: 200. */
  readonly everyMs?: number;
}

/**
 * Watches a rules file. By reading it: what tells of changes misses some where a file is replaced by rename or, as in
 * Kubernetes, through a link to a directory; and what is compared here is all that counts.
 *
 * A new content is taken once it was read twice in a row, so that a file is not taken while it is being written. One
 * that can't be used is refused whole and logged once; the rules stay as they are.
 */
export class RuleFileWatch implements AsyncDisposable {
  readonly #options: RuleFileWatchOptions;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  /** Content that was dealt with, or the text of what is wrong with the file. */
  #settled: Buffer | string;
  #seen: Buffer | string;
  /** Whether the rules in force are those of the file as it is. */
  #good = true;

  constructor(options: RuleFileWatchOptions) {
    this.#options = options;
    this.#settled = options.content;
    this.#seen = options.content;
    this.#loop = repeat(options.everyMs ?? 200, this.#stop.signal, () => this.#look());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #look(): Promise<void> {
    const { path } = this.#options;
    const now = await loadRuleFile(path).catch((error: InvalidRuleFile) => error.message);
    const before = this.#seen;
    this.#seen = now;
    if (!same(now, before)) return;
    if (same(now, this.#settled)) return;
    this.#settled = now;
    if (typeof now === 'string') this.#refuse([now]);
    else await this.#take(now);
  }

  async #take(content: Buffer): Promise<void> {
    const { path, logger, onRules } = this.#options;
    try {
      const rules = await parseRuleFile(path, content, { signal: this.#stop.signal });
      if (this.#stop.signal.aborted) return;
      onRules(rules);
      logger.info(
        { file: path, rules: rules.length },
        this.#good ? 'rules read anew' : 'rules are good again',
      );
      this.#good = true;
    } catch (error) {
      if (!(error instanceof InvalidRuleFile)) throw error;
      this.#refuse(error.problems);
    }
  }

  #refuse(problems: readonly string[]): void {
    if (this.#stop.signal.aborted) return;
    this.#good = false;
    const { path, logger } = this.#options;
    logger.error({ file: path, problems }, 'the rules file is refused: the rules stay as they were');
  }
}

function same(a: Buffer | string, b: Buffer | string): boolean {
  return typeof a === 'string' || typeof b === 'string' ? a === b : a.equals(b);
}
