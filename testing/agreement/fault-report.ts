import type { Redis } from 'ioredis';
import type { ContestedKey } from './contested-keys.ts';
import type { CallRecord } from './operation.ts';
import { Performer } from './performer.ts';
import { type Fault, keysOf, Replay } from './replay.ts';
import type { LoadedScripts } from './sequenced-scripts.ts';
import { shortest } from './shortest.ts';

/** Calls kept of each key: what happened longer ago has mostly run out. */
const CALLS_KEPT = 400;

interface FirstFault {
  readonly fault: Fault;
  /** Calls of the keys at fault, in order; the last is the one with the fault. */
  readonly calls: readonly CallRecord[];
}

/** Tells of the first fault, which mostly causes the later ones, and the fewest calls that lead there. */
export class FaultReport {
  readonly #keys: readonly ContestedKey[];
  readonly #recent: CallRecord[][];
  #first: FirstFault | undefined;

  constructor(keys: readonly ContestedKey[]) {
    this.#keys = keys;
    this.#recent = keys.map(() => []);
  }

  /** Takes note of a call, before it is replayed. */
  note(record: CallRecord): void {
    if (this.#first !== undefined) return;
    for (const key of keysOf(record.operation)) {
      const recent = this.#recent[key] as CallRecord[];
      // What came before a reset has no effect any more.
      if (record.operation.kind === 'reset') recent.length = 0;
      else if (recent.length > CALLS_KEPT) recent.shift();
      recent.push(record);
    }
  }

  add(fault: Fault): void {
    if (this.#first !== undefined) return;
    const calls = [...new Set(fault.keys.flatMap((key) => this.#recent[key] as CallRecord[]))];
    this.#first = { fault, calls: calls.sort((a, b) => a.sequence - b.sequence) };
  }

  /**
   * Finds the fewest calls by doing them again.
   *
   * @param redis is emptied
   * @returns '' where there was no fault
   */
  async text(seed: number, redis: Redis, scripts: LoadedScripts): Promise<string> {
    if (this.#first === undefined) return '';
    const { fault, calls } = this.#first;
    const [last, ...reversed] = calls.toReversed();
    if (last === undefined) throw new Error('a fault is in a call');
    const needed = await shortest(reversed.toReversed(), (before) =>
      this.#isAtFault([...before, last], redis, scripts),
    );
    return [
      `seed ${seed}: ${fault.kind} in call ${last.sequence}; expected ${JSON.stringify(fault.expected)}`,
      ...fault.keys.map((key) => `  key ${key}: ${JSON.stringify(this.#keys[key])}`),
      ...[...needed, last].map((call) => `  ${JSON.stringify(call)}`),
    ].join('\n');
  }

  /** Whether the last of the calls is answered wrongly where only these are done. */
  async #isAtFault(calls: readonly CallRecord[], redis: Redis, scripts: LoadedScripts): Promise<boolean> {
    await redis.flushall();
    const performer = new Performer(redis, scripts, this.#keys);
    let atFault = false;
    const replay = new Replay(this.#keys, ({ record }) => {
      atFault ||= record.sequence === calls.length;
    });
    const replies = await Promise.all(
      calls.map(({ operation, clock }) => performer.perform(operation, clock)),
    );
    for (const [at, [sequence, reply]] of replies.entries()) {
      replay.play({ ...(calls[at] as CallRecord), sequence, reply });
    }
    return atFault;
  }
}
