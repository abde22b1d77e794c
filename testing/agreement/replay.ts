import { isDeepStrictEqual } from 'node:util';
import type { Algorithm } from '../../services/ratelimit/domain/algorithm.ts';
import type { Limit } from '../../services/ratelimit/domain/limit.ts';
import type { LimitState } from '../../services/ratelimit/domain/limit-store.ts';
import { ModelScripts } from '../../services/ratelimit/storage/lua/testing-scripts.ts';
import type { ContestedKey } from './contested-keys.ts';
import type { AskOperation, CallRecord, LimitRef, Operation, TakenPart } from './operation.ts';
import { newOracle, type Oracle } from './oracle.ts';
import { type AlgorithmTally, newTally, type Tally } from './tally.ts';

/** Where a script answered otherwise than its judge says. */
export interface Fault {
  readonly kind: 'DISAGREEMENT' | 'OVER_ADMISSION' | 'WRONG_DENIAL';
  readonly record: CallRecord;
  /** The keys at fault; their numbers. */
  readonly keys: readonly number[];
  /** What the model answers, or the oracle. */
  readonly expected: unknown;
}

/** Does again, in the order of Redis, what the processes did: by the models, and before the eyes of the oracles. */
export class Replay {
  readonly tally: Tally = newTally();
  readonly #keys: readonly ContestedKey[];
  readonly #models = new ModelScripts();
  readonly #oracles: Oracle[];
  /** Ids of refunds. */
  readonly #spent = new Set<string>();
  readonly #onFault: (fault: Fault) => void;

  constructor(keys: readonly ContestedKey[], onFault: (fault: Fault) => void) {
    this.#keys = keys;
    this.#oracles = keys.map((_, key) => this.#newOracle(key));
    this.#onFault = onFault;
  }

  play(record: CallRecord): void {
    const { operation } = record;
    this.tally.calls++;
    if (operation.kind === 'decide') this.#decide(record, operation.asks);
    else this.tally.operations[operation.kind]++;
    if (operation.kind === 'refund') this.#refund(record, operation.id, operation.parts);
    else if (operation.kind === 'renew') this.#renew(record, operation.id, operation.parts);
    else if (operation.kind === 'settle') this.#settle(record, operation.entries);
    else if (operation.kind === 'reset') this.#reset(operation.keys);
  }

  #decide(record: CallRecord, asks: readonly AskOperation[]): void {
    const reply = record.reply as readonly number[];
    let at = 0;
    for (const [peek, lease, refs] of asks) {
      this.tally.operations[peek === 1 ? 'peek' : 'check']++;
      const terms = refs.map(([key, version, cost]) => ({ ...this.#limit([key, version]), cost }));
      const [states = []] = this.#models.decide(record.clock, [{ peek: peek === 1, lease, terms }]);
      const answered = reply.slice(at, at + 4 * terms.length);
      at += answered.length;
      const expected = states.flatMap(flat);
      const keys = refs.map(([key]) => key);
      if (!isDeepStrictEqual(answered, expected)) this.#fault('DISAGREEMENT', record, keys, expected);
      const rooms = terms.map((_, term) => answered[4 * term] === 1);
      for (const [term, { limit, cost }] of terms.entries()) {
        this.#judge(record, keys[term] as number, limit, cost, lease, rooms[term] === true, peek === 1);
      }
      if (peek === 1) continue;
      for (const shadow of [false, true]) {
        if (terms.some(({ limit }, term) => limit.shadow === shadow && !rooms[term])) break;
        for (const [term, { limit, cost }] of terms.entries()) {
          if (limit.shadow !== shadow) continue;
          this.#algorithm(limit).taken += cost;
          this.#oracle(keys[term] as number).take(record.clock, cost, limit, lease);
        }
      }
    }
    if (at !== reply.length) this.#fault('DISAGREEMENT', record, [], at);
  }

  #judge(
    record: CallRecord,
    key: number,
    limit: Limit,
    cost: number,
    lease: string,
    room: boolean,
    peek: boolean,
  ): void {
    const tally = this.#algorithm(limit);
    const truth = this.#oracle(key).room(record.clock, cost, limit, lease);
    if (peek) tally.peeks++;
    else if (room) tally.allowed++;
    else tally.denied++;
    if (truth === 'EITHER') tally.within++;
    if (room && truth === 'NO') this.#fault('OVER_ADMISSION', record, [key], truth, limit.algorithm);
    if (!room && truth === 'YES') this.#fault('WRONG_DENIAL', record, [key], truth, limit.algorithm);
  }

  #refund(record: CallRecord, id: string, parts: readonly TakenPart[]): void {
    const { clock, reply } = record;
    const taken = parts.map((part) => this.#taken(part));
    this.#compare(record, this.#models.refund(clock, id, taken));
    for (const [at, part] of taken.entries()) {
      const given = Number((reply as readonly unknown[])[at]);
      this.#algorithm(part.limit).refunded += given;
      // What is spent gives nothing, and neither does a bucket that gave less than half a unit: the first time counts.
      if (given > 0 || !this.#spent.has(id)) this.#oracle(part.number).refund(clock, given, part, id);
    }
    this.#spent.add(id);
  }

  #renew(record: CallRecord, id: string, parts: readonly TakenPart[]): void {
    const taken = parts.map((part) => this.#taken(part));
    this.#compare(record, this.#models.renew(record.clock, id, taken));
    for (const [at, { number, cost }] of taken.entries()) {
      this.#oracle(number).renew?.(cost, id, Number((record.reply as readonly unknown[])[at]));
    }
  }

  #settle(record: CallRecord, entries: (Operation & { kind: 'settle' })['entries']): void {
    const parts = entries.map(([key, version, debt]) => ({
      ...this.#limit([key, version]),
      debt,
      number: key,
    }));
    this.#compare(record, this.#models.settle(record.clock, parts));
    for (const { number, debt, limit } of parts) this.#oracle(number).settle(record.clock, debt, limit);
  }

  #reset(keys: readonly number[]): void {
    for (const key of keys) {
      this.#models.models.delete((this.#keys[key] as ContestedKey).key);
      this.#oracles[key] = this.#newOracle(key);
    }
  }

  #compare(record: CallRecord, expected: unknown): void {
    if (isDeepStrictEqual(record.reply, expected)) return;
    this.#fault('DISAGREEMENT', record, keysOf(record.operation), expected);
  }

  #fault(
    kind: Fault['kind'],
    record: CallRecord,
    keys: readonly number[],
    expected: unknown,
    algorithm?: Algorithm,
  ): void {
    this.tally.faults[kind]++;
    if (algorithm !== undefined) this.tally.algorithms[algorithm].faults++;
    this.#onFault({ kind, record, keys, expected });
  }

  #taken([key, version, cost, resetMicros]: TakenPart) {
    return { ...this.#limit([key, version]), cost, resetMicros, number: key };
  }

  #limit([key, version]: LimitRef): { readonly key: string; readonly limit: Limit } {
    const { key: name, versions } = this.#keys[key] as ContestedKey;
    return { key: name, limit: versions[version] as Limit };
  }

  #oracle(key: number): Oracle {
    return this.#oracles[key] as Oracle;
  }

  #newOracle(key: number): Oracle {
    return newOracle((this.#keys[key] as ContestedKey).versions[0].algorithm);
  }

  #algorithm({ algorithm }: Limit): AlgorithmTally {
    return this.tally.algorithms[algorithm];
  }
}

/** The numbers of the keys that an operation is about. */
export function keysOf(operation: Operation): readonly number[] {
  switch (operation.kind) {
    case 'decide':
      return [...new Set(operation.asks.flatMap(([, , terms]) => terms.map(([key]) => key)))];
    case 'refund':
    case 'renew':
      return operation.parts.map(([key]) => key);
    case 'settle':
      return operation.entries.map(([key]) => key);
    case 'reset':
      return operation.keys;
  }
}

/** As decide.lua replies. */
function flat({ allowed, remaining, resetMicros, retryAfterMicros }: LimitState): number[] {
  return [allowed ? 1 : 0, remaining, resetMicros, retryAfterMicros];
}
