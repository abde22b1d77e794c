import type { Clock } from '../domain/clock.ts';
import type { Limit } from '../domain/limit.ts';
import type { Debt, LimitModel } from '../domain/limit-model.ts';
import type { Taken, Term } from '../domain/limit-store.ts';
import { newModel } from '../domain/new-model.ts';
import type { Settlement } from './redis-store.ts';

/** Accounts looked at in one sweep. */
const SWEEP_STEP = 2_000;

interface Account {
  /** As it was when something was last taken. */
  limit: Limit;
  model: LimitModel;
}

/** Debts on their way to be settled. */
export interface DebtBatch {
  readonly entries: readonly Settlement[];
  /** Whether nothing was left behind. */
  readonly isLast: boolean;
  /** When the entries' ages were true. */
  readonly atMicros: number;
}

export interface DebtsOptions {
  readonly clock: Clock;
  /** The lane that a key belongs to now. */
  readonly laneOf: (key: string) => string;
  /** Most keys kept, of all lanes together. Default: 1,000,000. */
  readonly maxKeys?: number;
}

/**
 * What this process took by itself while the store of a lane was away, and has not settled yet: by key, each in a model
 * of its own, so that what runs out meanwhile is owed no more.
 *
 * Beyond `maxKeys` the debt of the key that has owed longest is dropped: that key may have up to this process's share of
 * its limit once more after the recovery.
 */
export class Debts {
  readonly #clock: Clock;
  readonly #laneOf: (key: string) => string;
  readonly #maxKeys: number;
  readonly #byLane = new Map<string, Map<string, Account>>();
  #size = 0;
  #sweeper: Generator<undefined, void> | undefined;

  constructor({ clock, laneOf, maxKeys = 1_000_000 }: DebtsOptions) {
    this.#clock = clock;
    this.#laneOf = laneOf;
    this.#maxKeys = maxKeys;
  }

  /** Keys that owe something, or did until it ran out a moment ago. */
  get size(): number {
    return this.#size;
  }

  /** Keys of a lane. */
  sizeOf(lane: string): number {
    return this.#byLane.get(lane)?.size ?? 0;
  }

  /** Adds what was taken just now. */
  add({ key, limit, cost }: Term, lease: string): void {
    this.#accountOf(key, limit).model.take(this.#clock(), cost, limit, lease);
  }

  /** Takes off what is given back; tells how many units were still owed of it. */
  refund({ key, limit, cost, resetMicros }: Taken, id: string): number {
    // How far a bucket has refilled since can't be told from the reset that was answered by the slower share of it.
    if (limit.algorithm === 'TOKEN_BUCKET') return 0;
    return this.#find(key)?.model.refund(this.#clock(), cost, resetMicros, limit, id) ?? 0;
  }

  /** Prolongs a lease that is not settled yet; tells its end, 0 where there is none. */
  renew({ key, limit, cost }: Taken, id: string): number {
    return this.#find(key)?.model.renew(this.#clock(), cost, limit, id) ?? 0;
  }

  forget(keys: readonly string[]): void {
    for (const key of keys) this.#delete(this.#accountsOf(this.#laneOf(key)), key);
  }

  /**
   * Takes debts of a lane out, to be settled now: so many that writing them takes Redis some `weight` µs. Undefined
   * where there are none.
   */
  collect(lane: string, weight: number): DebtBatch | undefined {
    const atMicros = this.#clock();
    const entries: Settlement[] = [];
    const accounts = this.#accountsOf(lane);
    let room = weight;
    for (const [key, account] of accounts) {
      if (room <= 0) return { entries, isLast: false, atMicros };
      const { limit, model } = account;
      this.#delete(accounts, key);
      const debt = model.debt(atMicros, limit);
      if (debt.length === 0) continue;
      const now = this.#laneOf(key);
      if (now !== lane) {
        // Its slot has moved.
        this.#add(key, limit, debt);
        continue;
      }
      room -= weightOf(limit, debt);
      entries.push({ key, limit, debt });
    }
    return entries.length === 0 ? undefined : { entries, isLast: true, atMicros };
  }

  /** Takes debts back that could not be settled. */
  putBack({ entries, atMicros }: DebtBatch): void {
    const now = this.#clock();
    for (const { key, limit, debt } of entries) {
      // A model tells what has run out since.
      const model = newModel(limit.algorithm);
      model.settle(atMicros, debt, limit);
      const left = model.debt(now, limit);
      if (left.length > 0) this.#add(key, limit, left);
    }
  }

  /** Gives the keys of lanes that are no more to those they belong to now. */
  followLanes(lanes: readonly string[]): void {
    const now = this.#clock();
    for (const [lane, accounts] of [...this.#byLane]) {
      if (lanes.includes(lane)) continue;
      for (const [key, { limit, model }] of accounts) {
        // Of a slot that no lane is known for yet.
        if (this.#laneOf(key) === lane) continue;
        this.#delete(accounts, key);
        this.#add(key, limit, model.debt(now, limit));
      }
      if (accounts.size === 0) this.#byLane.delete(lane);
    }
  }

  /** Drops, of the next few keys, those that owe nothing any more. To be called now and then. */
  sweep(): void {
    this.#sweeper ??= this.#sweepAll();
    if (this.#sweeper.next().done) this.#sweeper = undefined;
  }

  *#sweepAll(): Generator<undefined, void> {
    let looked = 0;
    for (const accounts of [...this.#byLane.values()]) {
      for (const [key, { model }] of accounts) {
        if (model.deadAtMicros <= this.#clock()) this.#delete(accounts, key);
        looked += 1;
        if (looked % SWEEP_STEP === 0) yield;
      }
    }
  }

  #find(key: string): Account | undefined {
    return this.#byLane.get(this.#laneOf(key))?.get(key);
  }

  #add(key: string, limit: Limit, debt: Debt): void {
    this.#accountOf(key, limit).model.settle(this.#clock(), debt, limit);
  }

  #accountOf(key: string, limit: Limit): Account {
    const accounts = this.#accountsOf(this.#laneOf(key));
    let account = accounts.get(key);
    if (account === undefined) {
      if (this.#size >= this.#maxKeys) this.#dropOldest(accounts);
      account = { limit, model: newModel(limit.algorithm) };
      accounts.set(key, account);
      this.#size += 1;
    }
    account.limit = limit;
    return account;
  }

  #accountsOf(lane: string): Map<string, Account> {
    let accounts = this.#byLane.get(lane);
    if (accounts === undefined) {
      accounts = new Map();
      this.#byLane.set(lane, accounts);
    }
    return accounts;
  }

  #delete(accounts: Map<string, Account>, key: string): void {
    if (accounts.delete(key)) this.#size -= 1;
  }

  #dropOldest(own: Map<string, Account>): void {
    for (const accounts of [own, ...this.#byLane.values()]) {
      for (const key of accounts.keys()) {
        this.#delete(accounts, key);
        return;
      }
    }
  }
}

/** Some µs that Redis takes at most to add a debt to a key: a log is written anew, with all that is in it. */
function weightOf({ algorithm, limit }: Limit, debt: Debt): number {
  const members = algorithm === 'SLIDING_WINDOW_LOG' ? limit : algorithm === 'CONCURRENCY' ? debt.length : 0;
  return 20 + members;
}
