import type { TLSSocket } from 'node:tls';
import type { Logger } from './logger.ts';

/** Failed handshakes are logged at most once in this time: anybody who reaches the port can make them. */
const LOG_EVERY_MS = 1000;

/** Logs the handshakes of a port that fail, with why: TLS itself tells callers next to nothing. */
export class FailedHandshakes {
  readonly #portEnv: string;
  readonly #logger: Logger;
  #nextAtMs = 0;
  #unlogged = 0;

  constructor(portEnv: string, logger: Logger) {
    this.#portEnv = portEnv;
    this.#logger = logger;
  }

  /** @param reason a code of OpenSSL or Node, for example `CERT_HAS_EXPIRED`. */
  log(reason: string, socket: TLSSocket): void {
    const now = Date.now();
    if (now < this.#nextAtMs) {
      this.#unlogged += 1;
      return;
    }
    this.#nextAtMs = now + LOG_EVERY_MS;
    const facts = { port: this.#portEnv, peer: socket.remoteAddress, reason };
    this.#logger.info(
      this.#unlogged === 0 ? facts : { ...facts, others: this.#unlogged },
      'TLS handshake failed',
    );
    this.#unlogged = 0;
  }
}
