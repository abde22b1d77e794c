import type { Ask, LimitState } from '../domain/limit-store.ts';
import { AskBatch } from './ask-batch.ts';
import { isApart } from './insistence.ts';
import type { RedisCallObserver } from './redis-call-observer.ts';
import { nobodyHolds, type RedisCalls, scriptCall } from './redis-calls.ts';
import type { RedisNodes } from './redis-nodes.ts';
import { endingSpan, startScriptSpan } from './redis-span.ts';
import { DECIDE } from './scripts.ts';
import { KeyUnusable, type StoreUnavailable } from './store-errors.ts';
import { withinBudget } from './within-budget.ts';

/** Redis runs a batch in one go, serving nobody else for up to half a millisecond; more would save little more. */
const MAX_TERMS = 64;

export interface AskBatchesOptions {
  readonly nodes: RedisNodes;
  readonly calls: RedisCalls;
  /** Most time from an ask's being sent to its answer, in ms. */
  readonly budgetMs: number;
  /** Called where the key of a shadow limit can't be used. */
  readonly onShadowUnusable: (error: KeyUnusable) => void;
  readonly observer: RedisCallObserver;
}

/** Gathers the asks of one turn of the event loop, and sends those of a slot in one EVALSHA. */
export class AskBatches {
  readonly #options: AskBatchesOptions;
  /** Asks that wait for the end of this turn, by slot. */
  readonly #waiting = new Map<number, AskBatch>();

  constructor(options: AskBatchesOptions) {
    this.#options = options;
  }

  /** @throws StoreUnavailable, KeyUnusable, as rejections */
  decide(ask: Ask): Promise<readonly LimitState[]> {
    const { nodes, observer } = this.#options;
    const slot = nodes.slotOf(ask.terms[0]?.key ?? '');
    const owner = nodes.ownerOf(slot);
    if (!owner?.isReady) {
      const failure = owner?.away() ?? nobodyHolds();
      observer.failed(failure);
      return Promise.reject(failure);
    }
    const span = startScriptSpan('decide', ask.terms.length, owner);
    let batch: AskBatch | undefined;
    const answer = new Promise<readonly LimitState[]>((resolve, reject) => {
      batch = this.#waiting.get(slot);
      if (batch !== undefined && batch.keys.length + ask.terms.length > MAX_TERMS) {
        this.#send(slot, batch);
        batch = undefined;
      }
      if (batch === undefined) {
        batch = new AskBatch(this.#onFault);
        // Immediates run once all sockets that had something to read were read.
        if (this.#waiting.size === 0) setImmediate(this.sendWaiting);
        this.#waiting.set(slot, batch);
      }
      batch.add(ask, resolve, reject);
    });
    return span === undefined ? answer : endingSpan(span, answer, () => batch?.size ?? 1);
  }

  /** Sends what waits, now. */
  readonly sendWaiting = (): void => {
    const { nodes } = this.#options;
    // What goes to one node leaves in one write: a tenth less CPU where a turn asks of many slots.
    const streams = this.#waiting.size > 1 ? nodes.lanes().map((lane) => nodes.at(lane)?.client.stream) : [];
    for (const stream of streams) stream?.cork();
    for (const [slot, batch] of this.#waiting) this.#send(slot, batch);
    this.#waiting.clear();
    for (const stream of streams) stream?.uncork();
  };

  readonly #onFault = (error: StoreUnavailable | KeyUnusable, shadow: boolean): void => {
    this.#options.observer.failed(error);
    if (shadow && error instanceof KeyUnusable) this.#options.onShadowUnusable(error);
  };

  #send(slot: number, batch: AskBatch, deadlineMs = performance.now() + this.#options.budgetMs): void {
    const { nodes, calls, observer } = this.#options;
    const call = scriptCall(DECIDE, batch.keys, batch.values);
    const fail = (failure: StoreUnavailable | KeyUnusable) => {
      observer.failed(failure);
      batch.fail(failure);
    };
    const node = nodes.ownerOf(slot);
    if (!node?.isReady) {
      fail(node?.away() ?? nobodyHolds());
      return;
    }
    const startedMs = performance.now();
    const settle = (reply: unknown) => {
      observer.answered('decide', (performance.now() - startedMs) / 1_000);
      batch.settle(reply);
    };
    observer.batched(batch.size);
    withinBudget(call(node.client, false), deadlineMs - startedMs).then(settle, (error: unknown) => {
      // Of a slot on its way between two nodes some asks can be decided, and those for keys on both sides can not.
      if (batch.size > 1 && isApart(error)) {
        for (const alone of batch.split()) this.#send(slot, alone, deadlineMs);
        return;
      }
      calls.recover(slot, node, call, error, deadlineMs).then(settle, fail);
    });
  }
}
