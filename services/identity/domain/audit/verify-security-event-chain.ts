import type { ChainSource } from './chain-source.ts';
import { TooManyVerifications } from './errors.ts';
import { type VerifyOptions, type VerifyResult, verifyChain } from './verify-chain.ts';

/** Verifications of the chain by one process: one at a time, as each reads the whole log. */
export class ChainVerifications {
  readonly #source: ChainSource;
  #isRunning = false;

  constructor(source: ChainSource) {
    this.#source = source;
  }

  /** @throws TooManyVerifications, DatabaseUnavailable, and the signal's reason */
  async verify(options: VerifyOptions): Promise<VerifyResult> {
    if (this.#isRunning) throw new TooManyVerifications();
    this.#isRunning = true;
    try {
      return await verifyChain(this.#source, options);
    } finally {
      this.#isRunning = false;
    }
  }
}
