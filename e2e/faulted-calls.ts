import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { reasonOf } from '../testing/failure.ts';

/** A call that was refused. */
export interface FailedCall {
  readonly rpc: string;
  /** ErrorInfo's reason. */
  readonly reason: string | undefined;
  readonly ms: number;
}

const RETRY_MS = 50;
/** Longer than any store is away. */
const GIVE_UP_MS = 20_000;

/** Calls to a service whose stores go away under them: how each went, and how long it took. */
export class FaultedCalls {
  readonly done: { readonly rpc: string; readonly ms: number }[] = [];
  readonly failures: FailedCall[] = [];
  #isOver = false;

  /** Whether no more calls are to be begun. */
  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
  }

  /** Calls until it is answered, as a client does that must not lose the change: each time with the same request id. */
  async untilDone<T>(rpc: string, call: (requestId: string) => Promise<T>): Promise<T> {
    const requestId = randomUUID();
    const giveUpAt = performance.now() + GIVE_UP_MS;
    for (;;) {
      const startedAt = performance.now();
      try {
        const answer = await call(requestId);
        this.done.push({ rpc, ms: performance.now() - startedAt });
        return answer;
      } catch (error) {
        const failure = ConnectError.from(error);
        if (failure.code !== Code.Unavailable || performance.now() > giveUpAt) throw error;
        this.failures.push({ rpc, reason: reasonOf(failure), ms: performance.now() - startedAt });
        await sleep(RETRY_MS);
      }
    }
  }
}
