import { setTimeout as sleep } from 'node:timers/promises';
import type { RevocationsState } from './revocation-watch.ts';
import { AUDIENCE, ISSUER, TestTokenService } from './testing-token-service.ts';
import { TokenInvalid, TokenRevoked } from './token-errors.ts';
import { createTokenVerifier, type TokenVerifier, type TokenVerifierOptions } from './token-verifier.ts';

/** Verifiers of one service, for one test. */
export class VerifierTests implements AsyncDisposable {
  readonly service: TestTokenService;
  /** What the verifiers told of their states. */
  readonly states: RevocationsState[] = [];
  readonly #verifiers = new DisposableStack();

  private constructor(service: TestTokenService) {
    this.service = service;
  }

  static async start(): Promise<VerifierTests> {
    return new VerifierTests(await TestTokenService.start());
  }

  connect(options: Partial<TokenVerifierOptions> = {}): TokenVerifier {
    return this.#verifiers.use(
      createTokenVerifier({
        ...{ address: this.service.address, issuer: ISSUER, audience: AUDIENCE },
        onStateChange: (state) => this.states.push(state),
        ...options,
      }),
    );
  }

  /** One that knows all revocations. */
  async connectFresh(options: Partial<TokenVerifierOptions> = {}): Promise<TokenVerifier> {
    const verifier = this.connect(options);
    await until(() => verifier.state.fresh);
    return verifier;
  }

  async failureOf(verifier: TokenVerifier, token: string): Promise<unknown> {
    const outcome = await verifier.verify(token).catch((error: unknown) => error);
    if (!(outcome instanceof Error)) throw new Error('the token was taken for good');
    return outcome;
  }

  /** The reason of a refusal; of another failure the failure. */
  async reasonOf(verifier: TokenVerifier, token: string): Promise<unknown> {
    const error = await this.failureOf(verifier, token);
    return error instanceof TokenInvalid || error instanceof TokenRevoked ? error.reason : error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#verifiers.dispose();
    await this.service[Symbol.asyncDispose]();
  }
}

export async function until(condition: () => boolean, withinMs = 5000): Promise<void> {
  for (const end = performance.now() + withinMs; !condition(); ) {
    if (performance.now() > end) throw new Error('it did not come about in time');
    await sleep(5);
  }
}
