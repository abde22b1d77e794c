import { LogThrottle } from './log-throttle.ts';
import type { Logger } from './logger.ts';

/** A route that is configured wrongly is so for each request: lines say so at most this often, in milliseconds. */
const EVERY_MS = 1000;

/** Logs that a gateway asks for something that can't be meant, also where there is no access log. */
export class MisconfigurationLog {
  readonly #logger: Logger;
  readonly #rpc: string;
  readonly #throttle = new LogThrottle(EVERY_MS);

  /** @param rpc what the gateway asks, as the access log names it */
  constructor(logger: Logger, rpc: string) {
    this.#logger = logger;
    this.#rpc = rpc;
  }

  /** @param problem nothing of what the client sent */
  report(problem: string): void {
    const keptBack = this.#throttle.pass();
    if (keptBack === undefined) return;
    this.#logger.error(
      { rpc: this.#rpc, problem, kept_back: keptBack },
      "a gateway's configuration can not be used: its request is refused",
    );
  }
}
