import type { Logger } from '../../../../runtime/logger.ts';
import { pause } from '../../../../runtime/timers.ts';
import type { EnvoyDomainDefinition } from '../../domain/envoy/envoy-definition.ts';
import { type EnvoyFile, InvalidEnvoyFiles, loadEnvoyFiles } from './envoy-files.ts';
import { parseEnvoyFiles } from './parse-envoy-files.ts';

export interface EnvoyFilesWatchOptions {
  /** Files and directories. */
  readonly paths: readonly string[];
  readonly mergeDomains: boolean;
  /** Those whose limits are in force. */
  readonly files: readonly EnvoyFile[];
  readonly logger: Logger;
  /** Called with what each new state says that is good. */
  readonly onDefinitions: (definitions: readonly EnvoyDomainDefinition[]) => void;
  /** How long to wait between two looks at the files, in ms. Default: 300. */
  readonly everyMs?: number | undefined;
}

/** How many times as long as a look took to wait at least: many files don't keep a core busy. */
const PACE = 20;

/** The files of one moment, or what is wrong with them. */
type State = { readonly files: readonly EnvoyFile[] } | { readonly problems: readonly string[] };

/**
 * Watches Envoy's configuration. By reading it: what tells of changes misses some where a file is replaced by rename or,
 * as in Kubernetes, through a link to a directory; and what is compared here is all that counts.
 *
 * A new state is taken once it was read twice in a row, so that files are not taken while they are being written. One
 * that can't be used is refused whole and logged once; the limits stay as they are.
 */
export class EnvoyFilesWatch implements AsyncDisposable {
  readonly #options: EnvoyFilesWatchOptions;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  /** Digests of what was dealt with, and of what was seen last. */
  #settled: string;
  #seen: string;
  /** Whether the limits in force are those of the files as they are. */
  #good = true;

  constructor(options: EnvoyFilesWatchOptions) {
    this.#options = options;
    this.#settled = digestOf(options);
    this.#seen = this.#settled;
    this.#loop = this.#watch();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    const { everyMs = 300 } = this.#options;
    let tookMs = 0;
    for (;;) {
      await pause(Math.max(everyMs, PACE * tookMs), signal);
      if (signal.aborted) return;
      const started = performance.now();
      const state = await this.#load();
      tookMs = performance.now() - started;
      await this.#look(state);
    }
  }

  async #load(): Promise<State> {
    try {
      return { files: await loadEnvoyFiles(this.#options.paths) };
    } catch (error) {
      if (!(error instanceof InvalidEnvoyFiles)) throw error;
      return { problems: error.problems };
    }
  }

  async #look(state: State): Promise<void> {
    const now = digestOf(state);
    const before = this.#seen;
    this.#seen = now;
    if (now !== before || now === this.#settled) return;
    this.#settled = now;
    if ('problems' in state) this.#refuse(state.problems);
    else await this.#take(state.files);
  }

  async #take(files: readonly EnvoyFile[]): Promise<void> {
    const { mergeDomains, logger, onDefinitions } = this.#options;
    const { signal } = this.#stop;
    try {
      const definitions = await parseEnvoyFiles(files, { mergeDomains, signal });
      if (signal.aborted) return;
      onDefinitions(definitions);
      logger.info(
        { files: files.length, domains: [...new Set(definitions.map(({ domain }) => domain))] },
        this.#good ? "Envoy's limits read anew" : "Envoy's limits are good again",
      );
      this.#good = true;
    } catch (error) {
      if (!(error instanceof InvalidEnvoyFiles)) throw error;
      this.#refuse(error.problems);
    }
  }

  #refuse(problems: readonly string[]): void {
    if (this.#stop.signal.aborted) return;
    this.#good = false;
    this.#options.logger.error({ problems }, "Envoy's limits are refused: they stay as they were");
  }
}

function digestOf(state: State): string {
  if ('problems' in state) return `problems ${JSON.stringify(state.problems)}`;
  return `files ${JSON.stringify(state.files.map(({ path, sha256 }) => [path, sha256]))}`;
}
