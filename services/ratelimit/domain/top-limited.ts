import type { TopFigures, TopKeys } from './top-keys.ts';
import { mergeSummaries, type TopEntry } from './top-summary.ts';

/** The other processes that share the limits. */
export interface TopPeers {
  /** Their figures, one a process; of as many as can be asked now. Never rejects. */
  figures(): Promise<readonly TopFigures[]>;
}

/** What to rank. */
export interface TopQuery {
  /** By what. */
  readonly order: 'denied' | 'checked';
  /** At most so many. */
  readonly size: number;
  /** Only this endpoint; empty means all. */
  readonly endpoint: string;
}

export interface TopRanking {
  /** Highest count first. */
  readonly entries: readonly TopEntry[];
  /** Since when the first of the processes counted, in µs since the epoch. */
  readonly sinceMicros: number;
  /** Processes whose figures these are, this one among them. */
  readonly replicas: number;
}

/** Ranks keys by the figures of all processes; while the others can't be asked, by those of this one. */
export class TopLimited {
  readonly #keys: TopKeys;
  readonly #peers: TopPeers | undefined;

  /** @param peers without: this process counts by itself. */
  constructor(keys: TopKeys, peers?: TopPeers) {
    this.#keys = keys;
    this.#peers = peers;
  }

  async list({ order, size, endpoint }: TopQuery): Promise<TopRanking> {
    const others = (await this.#peers?.figures()) ?? [];
    const all = [this.#keys.figures(), ...others];
    const { entries } = mergeSummaries(all.map((figures) => figures[order]));
    const wanted = endpoint === '' ? entries : entries.filter((entry) => entry.endpoint === endpoint);
    return {
      entries: wanted.slice(0, size),
      sinceMicros: all.reduce(
        (first, { sinceMicros }) => Math.min(first, sinceMicros),
        Number.MAX_SAFE_INTEGER,
      ),
      replicas: all.length,
    };
  }
}
