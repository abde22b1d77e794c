import { InvalidFile } from '../invalid-file.ts';
import type { Logger } from '../logger.ts';
import { repeat } from '../timers.ts';
import { type CallersFile, fingerprintOf, readCallersFile } from './callers-file.ts';
import type { Policy } from './policy.ts';

export interface CallersFileWatchOptions {
  readonly path: string;
  readonly policy: Policy;
  /** The state that is in force. */
  readonly current: CallersFile;
  readonly logger: Logger;
  /** Called with each new state that is good. */
  readonly onChange: (file: CallersFile) => void;
  /** How often the files are read, in ms. Default: 300. */
  readonly everyMs?: number;
}

/**
 * Watches a callers file, by reading it: what tells of changes misses some where a file is replaced by rename or, as in
 * Kubernetes, through a link to a directory.
 *
 * A new state is taken once it was read twice in a row, so that a file is not taken while it is being written. One that
 * can't be used is refused whole and logged once; the callers stay as they are.
 */
export class CallersFileWatch implements AsyncDisposable {
  readonly #options: CallersFileWatchOptions;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #paths: readonly string[];
  /** Of the files as they were read last. */
  #seen: string | undefined;
  /** Of the files whose content is in force; undefined while some other content stands there. */
  #taken: string | undefined;
  #problem = '';

  constructor(options: CallersFileWatchOptions) {
    this.#options = options;
    this.#paths = options.current.paths;
    this.#taken = options.current.fingerprint;
    this.#loop = repeat(options.everyMs ?? 300, this.#stop.signal, () => this.#look());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #look(): Promise<void> {
    const now = await fingerprintOf(this.#paths);
    const before = this.#seen;
    this.#seen = now;
    // What is refused is looked at each time: it may name a file that is yet to come.
    if (now === before && now !== this.#taken) await this.#take();
  }

  async #take(): Promise<void> {
    const { path, policy, logger, onChange } = this.#options;
    try {
      const file = await readCallersFile(path, policy);
      if (this.#stop.signal.aborted) return;
      this.#paths = file.paths;
      this.#taken = file.fingerprint;
      this.#problem = '';
      onChange(file);
      logger.info({ file: path, callers: file.document.callers.length }, 'callers read anew');
    } catch (error) {
      if (!(error instanceof InvalidFile)) throw error;
      this.#taken = undefined;
      if (this.#stop.signal.aborted || this.#problem === error.message) return;
      this.#problem = error.message;
      const { problems } = error;
      logger.error({ file: path, problems }, 'the callers file is refused: the callers stay as they were');
    }
  }
}
