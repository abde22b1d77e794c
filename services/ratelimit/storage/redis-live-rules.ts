import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../../runtime/logger.ts';
import { closeRedis, connectRedis, type RedisClient } from '../../../runtime/redis-connection.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { StoreAway } from '../domain/errors.ts';
import type { LiveRules } from '../domain/live-rules.ts';
import type { Rule } from '../domain/rule.ts';
import { ChannelListener } from './channel-listener.ts';
import {
  InvalidLiveDocument,
  type LiveDocument,
  NO_LIVE_RULES,
  nextDocument,
  readDocument,
  revisionNumber,
} from './live-document.ts';
import { redisFailure } from './redis-failure.ts';
import type { RulesSnapshot } from './rules-snapshot.ts';
import { withinBudget } from './within-budget.ts';

/** No limit's key begins so: those have an endpoint before `:{`. */
export const LIVE_RULES_KEY = 'ratelimit:{rules}';
const LIVE_RULES_CHANNEL = 'ratelimit:rules';

const PUT = readFileSync(new URL('./put-live-rules.lua', import.meta.url), 'utf8');
const POLL_MS = 500;
const BUDGET_MS = 1_000;
const RETRY_MS = 50;
/** Each time somebody else's change came first. */
const MAX_TRIES = 100;

export interface RedisLiveRulesOptions {
  readonly target: RedisTarget;
  readonly logger: Logger;
  /** Where the last known rules are kept besides. */
  readonly snapshot?: RulesSnapshot | undefined;
}

/**
 * Live rules that all replicas share: one document in Redis, without an expiry. Every replica looks twice a second
 * whether it is another, and at once when one is told of.
 *
 * Each replica keeps what it knew last. While Redis is away that stays in force. Where Redis has lost it (a flush, a
 * failover before it was replicated) the first replica to notice writes it back. Rules that can't be used, say, since
 * somebody wrote them by hand, are refused whole.
 */
export class RedisLiveRules implements LiveRules, AsyncDisposable {
  readonly #logger: Logger;
  readonly #snapshot: RulesSnapshot | undefined;
  readonly #client: RedisClient;
  readonly #news: ChannelListener;
  readonly #listeners: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #document: LiveDocument = NO_LIVE_RULES;
  /** The revision in Redis that was dealt with; null where it had none. A refused one is not the document's. */
  #seen: string | null = null;
  /** One thing at a time: reading, changing. */
  #turn: Promise<unknown> = Promise.resolve();
  #pollWaits = false;
  #away = false;
  #closed = false;

  constructor({ target, logger, snapshot }: RedisLiveRulesOptions) {
    this.#logger = logger;
    this.#snapshot = snapshot;
    this.#client = connectRedis(target, 'ratelimit-rules');
    // A failed command tells.
    this.#client.on('error', () => undefined);
    this.#news = new ChannelListener({
      target,
      channel: LIVE_RULES_CHANNEL,
      name: 'ratelimit-rules-news',
      nodes: () => [],
      onMessage: () => this.#poll(),
      // News only save waiting for the next look.
      onState: () => undefined,
      onError: () => undefined,
    });
  }

  get rules(): readonly Rule[] {
    return this.#document.rules;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Reads the rules for the first time, `withinMs` at most, and goes on looking from then on. Never rejects. */
  async start(withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    this.#document = (await this.#snapshot?.load()) ?? NO_LIVE_RULES;
    for (;;) {
      try {
        await this.#exclusively(() => this.#refresh());
        break;
      } catch (error) {
        if (performance.now() < deadline) {
          await sleep(RETRY_MS);
          continue;
        }
        this.#noteAway(error);
        break;
      }
    }
    this.#timer = setInterval(() => this.#poll(), POLL_MS).unref();
  }

  async change(edit: (rules: readonly Rule[]) => readonly Rule[]): Promise<void> {
    await this.#exclusively(async () => {
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        await this.#refresh();
        const before = this.#seen ?? this.#document.revision;
        const next = nextDocument(before, edit(this.#document.rules));
        if (await this.#put(before, next)) return this.#hold(next);
      }
      throw new StoreAway('the live rules are changed by too many at once');
    });
  }

  /** Stops looking and closes the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#news[Symbol.dispose]();
    closeRedis(this.#client);
    await this.#turn;
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #poll(): void {
    if (this.#pollWaits || this.#closed) return;
    this.#pollWaits = true;
    void this.#exclusively(async () => {
      this.#pollWaits = false;
      try {
        await this.#refresh();
        this.#noteBack();
      } catch (error) {
        this.#noteAway(error);
        // A replica may have taken over. By itself ioredis asks for that every five seconds only.
        if ('refreshSlotsCache' in this.#client) this.#client.refreshSlotsCache();
      }
    });
  }

  /** Comes to know what Redis has, or gives it back what it has lost. @throws StoreAway */
  async #refresh(): Promise<void> {
    const revision = await this.#ask(this.#client.hget(LIVE_RULES_KEY, 'revision'));
    const known = revisionNumber(this.#document.revision);
    if (known > 0 && (revision === null || revisionNumber(revision) < known)) {
      if (await this.#put(this.#document.revision, this.#document)) {
        this.#logger.warn(
          { revision: this.#document.revision },
          'Redis had lost the live rules: written back',
        );
      }
      return;
    }
    if (revision === this.#seen) return;
    if (revision === this.#document.revision || revision === null) {
      this.#seen = revision;
      return;
    }
    const [now, text] = await this.#ask(this.#client.hmget(LIVE_RULES_KEY, 'revision', 'document'));
    this.#adopt(now ?? '', text ?? '');
  }

  #adopt(revision: string, text: string): void {
    this.#seen = revision;
    try {
      this.#hold(readDocument(revision, text, this.rules));
      this.#logger.info({ revision, rules: this.rules.length }, 'live rules read anew');
    } catch (error) {
      if (!(error instanceof InvalidLiveDocument)) throw error;
      const problems = error.message;
      this.#logger.error(
        { revision, problems },
        'the live rules in Redis are refused: the last good ones stay',
      );
    }
  }

  /** Whether the document is in Redis now, in the place of the one of a revision. @throws StoreAway */
  async #put(before: string, { revision, text }: LiveDocument): Promise<boolean> {
    const reply = await this.#ask(
      this.#client.eval(PUT, 1, LIVE_RULES_KEY, before, revision, text, LIVE_RULES_CHANNEL),
    );
    if (reply !== 1) return false;
    this.#seen = revision;
    return true;
  }

  #hold(document: LiveDocument): void {
    this.#document = document;
    this.#snapshot?.save(document);
    for (const listener of this.#listeners) listener();
  }

  /** Only the text of an error is kept: ioredis hangs the command on it. */
  async #ask<T>(reply: Promise<T>): Promise<T> {
    try {
      return await withinBudget(reply, BUDGET_MS);
    } catch (error) {
      throw new StoreAway(redisFailure(error).message);
    }
  }

  #noteAway(error: unknown): void {
    if (this.#away || this.#closed) return;
    this.#away = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.error({ reason }, 'live rules can not be read from Redis: the last known stay in force');
  }

  #noteBack(): void {
    if (!this.#away) return;
    this.#away = false;
    this.#logger.info('live rules are read from Redis again');
  }
}
