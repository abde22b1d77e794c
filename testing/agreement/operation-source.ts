import type { Limit } from '../../services/ratelimit/domain/limit.ts';
import type { Debt } from '../../services/ratelimit/domain/limit-model.ts';
import type { ContestedKey } from './contested-keys.ts';
import type { AskOperation, LimitRef, Operation, TakenPart } from './operation.ts';
import { Random } from './random.ts';

/** How long a rule stays as it is, in ms. */
const EDIT_EVERY_MS = 120;
/** How much later than others a process may learn of an edit, in ms. */
const EDIT_LAG_MS = 40;
const REMEMBERED = 256;

interface Take {
  readonly id: string;
  readonly parts: readonly TakenPart[];
}

/** Draws what a process does next. */
export class OperationSource {
  readonly #random: Random;
  readonly #seed: number;
  readonly #process: number;
  readonly #keys: readonly ContestedKey[];
  readonly #versions: number[];
  readonly #takes: Take[] = [];
  readonly #lagMs: number;
  #leases = 0;
  #epoch = -1;
  /** How often a limit was found edited. */
  edits = 0;

  constructor(seed: number, process: number, keys: readonly ContestedKey[]) {
    this.#random = new Random(seed + 1_000_003 * (process + 1));
    this.#seed = seed;
    this.#process = process;
    this.#keys = keys;
    this.#versions = keys.map(() => 0);
    this.#lagMs = this.#random.integer(0, EDIT_LAG_MS);
  }

  next(): Operation {
    this.#learnOfEdits();
    const random = this.#random;
    const draw = random.next();
    const take = this.#takes.length > 0 ? random.pick(this.#takes) : undefined;
    if (take !== undefined && draw < 0.16)
      return this.#giveBackOrRenew(take, draw < 0.12 ? 'refund' : 'renew');
    if (draw < 0.19) {
      const refs = this.#someKeys(random.integer(1, 3));
      return { kind: 'settle', entries: refs.map((ref) => [...ref, this.#debt(this.#limit(ref))] as const) };
    }
    if (draw < 0.2) return { kind: 'reset', keys: this.#someKeys(random.integer(1, 2)).map(([key]) => key) };
    const asks = Array.from({ length: random.integer(1, 4) }, () =>
      this.#ask(this.#someKeys(random.chance(0.7) ? 1 : random.integer(2, 4))),
    );
    return { kind: 'decide', asks };
  }

  /** A check of one key, and nothing else. */
  askAt(key: number): Operation {
    this.#learnOfEdits();
    return { kind: 'decide', asks: [this.#ask([[key, this.#versions[key] as number]])] };
  }

  /** Keeps what was taken, to be given back or renewed later. */
  remember(id: string, parts: readonly TakenPart[]): void {
    if (this.#takes.length < REMEMBERED) this.#takes.push({ id, parts });
    else this.#takes[this.#random.integer(0, REMEMBERED - 1)] = { id, parts };
  }

  /** Parts as they were taken, but by the limits of now: those are what a service finds. */
  #giveBackOrRenew({ id, parts }: Take, kind: 'refund' | 'renew'): Operation {
    const now = parts.map(
      ([key, , cost, reset]) => [key, this.#versions[key] as number, cost, reset] as const,
    );
    return { kind, id, parts: now };
  }

  #ask(refs: readonly LimitRef[]): AskOperation {
    const random = this.#random;
    const terms = refs.map((ref) => {
      const { burst } = this.#limit(ref);
      const most = random.chance(0.03) ? burst : Math.min(3, burst);
      return [...ref, random.integer(1, most)] as const;
    });
    const again = this.#takes.length > 0 && random.chance(0.04);
    const lease = again ? random.pick(this.#takes).id : `${this.#process}-${this.#leases++}`;
    return [random.chance(0.12) ? 1 : 0, lease, terms];
  }

  /** All different. */
  #someKeys(count: number): LimitRef[] {
    const chosen = new Set<number>();
    while (chosen.size < count) chosen.add(this.#random.integer(0, this.#keys.length - 1));
    return [...chosen].map((key) => [key, this.#versions[key] as number] as const);
  }

  #limit([key, version]: LimitRef): Limit {
    return this.#keys[key]?.versions[version] as Limit;
  }

  #debt({ algorithm, windowMicros }: Limit): Debt {
    const random = this.#random;
    if (algorithm === 'TOKEN_BUCKET') return [random.next() * 5];
    const entries = Array.from({ length: random.integer(0, 2) }, () => ({
      age: Math.floor(random.next() * Math.min(1.3 * windowMicros, 2e6)),
      units: random.integer(1, 4),
    }));
    if (algorithm === 'CONCURRENCY') {
      return entries.flatMap(({ age, units }) => [`${this.#process}-settled-${age % 7}`, units, age]);
    }
    return entries.sort((a, b) => b.age - a.age).flatMap(({ age, units }) => [age, units]);
  }

  /** Every so often each key takes one of its limits: the same at all processes, though not at once. */
  #learnOfEdits(): void {
    const epoch = Math.floor((Date.now() - this.#lagMs) / EDIT_EVERY_MS);
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    const random = new Random(this.#seed ^ epoch);
    for (const [index, { versions }] of this.#keys.entries()) {
      // Drawn for each key, so that all processes draw alike.
      const version = random.integer(0, versions.length - 1);
      if (version !== this.#versions[index]) this.edits++;
      this.#versions[index] = version;
    }
  }
}
