import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import type { Logger } from '../../../runtime/logger.ts';
import { type LiveDocument, NO_LIVE_RULES, readDocument } from './live-document.ts';

/**
 * A file with the last known live rules, for a start where they are nowhere else. It only helps: what fails is logged,
 * and the rules hold all the same.
 */
export class RulesSnapshot implements AsyncDisposable {
  readonly #path: string;
  readonly #logger: Logger;
  #saving: Promise<void> = Promise.resolve();

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** What the file has; no rules where there is none, or where it can't be used. */
  async load(): Promise<LiveDocument> {
    try {
      const text = await readFile(this.#path, 'utf8');
      const end = text.indexOf('\n');
      return readDocument(text.slice(0, end), text.slice(end + 1));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#logger.error({ err: error, file: this.#path }, 'the snapshot of the live rules is no use');
      }
      return NO_LIVE_RULES;
    }
  }

  /** Writes the file anew, soon. */
  save(document: LiveDocument): void {
    this.#saving = this.#saving
      .then(() => this.#write(document))
      .catch((error: unknown) => {
        this.#logger.error({ err: error, file: this.#path }, 'the live rules have no snapshot');
      });
  }

  /** Waits until all is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#saving;
  }

  /** In one step, for its owner only. */
  async #write({ revision, text }: LiveDocument): Promise<void> {
    const draft = `${this.#path}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      const file = await open(draft, 'wx', 0o600);
      try {
        await file.writeFile(`${revision}\n${text}`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.#path);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }
}
