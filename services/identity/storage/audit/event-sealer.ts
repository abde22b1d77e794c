import type { EntityManager } from '@mikro-orm/postgresql';
import { pause } from '../../../../runtime/timers.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { query } from '../sql.ts';
import { sealBatch } from './seal-batch.ts';

export interface EventSealerOptions {
  readonly em: EntityManager;
  /** Told after a commit that added seals. */
  readonly onSealed?: () => void;
  /** Told when sealing fails that went well before; it goes on. */
  readonly onFailure: (error: unknown) => void;
  /** Told of events that were gone before they had a seal: nothing but tampering does that. */
  readonly onMissing: (ids: readonly Uuid[]) => void;
  /** Told of events that waited and had a seal: nothing but tampering does that either. */
  readonly onSealedBefore: (ids: readonly Uuid[]) => void;
  /** Time between looks where nobody wakes it, in ms: another replica may have died before it sealed. Default: 1000. */
  readonly pollMs?: number;
}

/** Events of one transaction. */
const BATCH = 500;
/** What commits within this is sealed together, in milliseconds: each batch costs a transaction. */
const GATHER_MS = 20;
/** When to look again where another replica seals, in milliseconds: it may have begun before the last commit. */
const BUSY_MS = 50;
/** The first wait after a failure, in milliseconds; each further one doubles it. */
const RETRY_MS = 100;
const MAX_RETRY_MS = 5000;

/**
 * Gives the events of the audit log their seals, in order, just after the commit that added them. Runs on every replica;
 * one seals at a time. Whoever adds events never waits for it.
 */
export class EventSealer implements AsyncDisposable {
  readonly #options: EventSealerOptions;
  readonly #stopping = new AbortController();
  readonly #loop: Promise<void>;
  #wake = Promise.withResolvers<void>();

  /** Starts in the background. */
  constructor(options: EventSealerOptions) {
    this.#options = options;
    this.#loop = this.#run();
  }

  /** Seals at once. To be called after the commit that added events. */
  wake(): void {
    this.#wake.resolve();
  }

  /** Stops, after the batch that is in the making. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const waitMs = await this.#seal();
        failures = 0;
        if (waitMs === null) await this.#rest();
        else if (waitMs > 0) await pause(waitMs, signal);
      } catch (error) {
        if (failures === 0) this.#options.onFailure(error);
        await pause(Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** Math.min(failures, 10)), signal);
        failures += 1;
      }
    }
  }

  /** When to go on, in milliseconds; null where nothing is left to do. */
  async #seal(): Promise<number | null> {
    const { em, onSealed, onMissing, onSealedBefore } = this.#options;
    const [row] = await query<{ waits: boolean }>(
      em,
      'select exists (select from user_service.security_event_queue) as waits',
      [],
    );
    if (row?.waits !== true) return null;
    const sealed = await sealBatch(em, BATCH);
    if (sealed === null) return BUSY_MS;
    if (sealed.missing.length > 0) onMissing(sealed.missing);
    if (sealed.sealedBefore.length > 0) onSealedBefore(sealed.sealedBefore);
    if (sealed.taken > sealed.missing.length + sealed.sealedBefore.length) onSealed?.();
    return sealed.taken === BATCH ? 0 : GATHER_MS;
  }

  /** Until the next look is due, or somebody wakes. */
  async #rest(): Promise<void> {
    const rested = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, rested.signal]);
    await Promise.race([pause(this.#options.pollMs ?? 1000, signal), this.#wake.promise]);
    rested.abort();
    this.#wake = Promise.withResolvers<void>();
  }
}
