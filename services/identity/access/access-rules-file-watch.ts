import type { Logger } from '../../../runtime/logger.ts';
import { repeat } from '../../../runtime/timers.ts';
import type { AccessRules } from '../domain/access/access-rules.ts';
import { accessRulesOf, InvalidAccessRulesFile, loadAccessRulesText } from './access-rules-file.ts';

export interface AccessRulesFileWatchOptions {
  readonly path: string;
  /** The content that is in force. */
  readonly current: string;
  readonly logger: Logger;
  /** Called with the rules of each new content that is good. */
  readonly onChange: (rules: AccessRules) => void;
  /** How often the file is read, in ms. Default: 300. */
  readonly everyMs?: number;
}

/**
 * Watches an access rules file, by reading it: what tells of changes misses some where a file is replaced by rename or, as
 * in Kubernetes, through a link to a directory.
 *
 * New content is taken once it was read twice in a row, so that a file is not taken while it is being written. What can't be
 * used is refused whole and logged once; the rules stay as they are.
 */
export class AccessRulesFileWatch implements AsyncDisposable {
  readonly #options: AccessRulesFileWatchOptions;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  /** As it was read last: its content, or why it could not be read. */
  #seen: string | InvalidAccessRulesFile | undefined;
  /** What was dealt with, good or bad. */
  #settled: string;

  constructor(options: AccessRulesFileWatchOptions) {
    this.#options = options;
    this.#settled = options.current;
    this.#loop = repeat(options.everyMs ?? 300, this.#stop.signal, () => this.#look());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #look(): Promise<void> {
    const now = await loadAccessRulesText(this.#options.path).catch((error: unknown) => {
      if (error instanceof InvalidAccessRulesFile) return error;
      throw error;
    });
    const before = this.#seen;
    this.#seen = now;
    const key = keyOf(now);
    if (before === undefined || key !== keyOf(before) || key === this.#settled) return;
    if (this.#stop.signal.aborted) return;
    this.#settled = key;
    this.#take(now);
  }

  #take(now: string | InvalidAccessRulesFile): void {
    const { path, logger, onChange } = this.#options;
    try {
      if (now instanceof InvalidAccessRulesFile) throw now;
      onChange(accessRulesOf(path, now));
      logger.info({ file: path }, 'access rules read anew');
    } catch (error) {
      if (!(error instanceof InvalidAccessRulesFile)) throw error;
      const { problems } = error;
      logger.error({ file: path, problems }, 'the access rules file is refused: the rules stay as they were');
    }
  }
}

function keyOf(state: string | InvalidAccessRulesFile): string {
  return state instanceof InvalidAccessRulesFile ? `\0${state.message}` : state;
}
