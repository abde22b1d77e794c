import type { Logger } from '../../../runtime/logger.ts';
import type { GatewayMisconfigured } from '../domain/access/gateway-requirement.ts';

/** Lines say so at most this often, in milliseconds: a route that is configured wrongly is so for each request. */
const EVERY_MS = 1000;

/** Logs that a gateway asks for something that can't be read. */
export class MisconfigurationLog {
  readonly #logger: Logger;
  readonly #now: () => number;
  #quietUntil = Number.NEGATIVE_INFINITY;

  /** @param now a clock that never goes back, in milliseconds */
  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#now = now;
  }

  report({ problem }: GatewayMisconfigured): void {
    const now = this.#now();
    if (now < this.#quietUntil) return;
    this.#quietUntil = now + EVERY_MS;
    this.#logger.error({ problem }, "a gateway's configuration can not be used: its request is refused");
  }
}
