/** One key of a ranking. Its true count is at most `count` and at least `count - error`. */
export interface TopEntry {
  readonly endpoint: string;
  readonly identifier: string;
  readonly count: number;
  readonly error: number;
}

/** What is known of the most frequent keys of a stream. */
export interface TopSummary {
  /** Highest count first. */
  readonly entries: readonly TopEntry[];
  /** The most that a key can have been counted that is not among the entries. */
  readonly floor: number;
}

/**
 * The summary of several streams together. A key that is absent from one of them may have been counted there as often
 * as that one's floor says, so both its count and its error grow by that: the bounds of {@link TopEntry} go on to hold
 * (Agarwal et al., "Mergeable Summaries", 2012).
 */
export function mergeSummaries(summaries: readonly TopSummary[]): TopSummary {
  const floor = summaries.reduce((sum, each) => sum + each.floor, 0);
  const merged = new Map<string, Map<string, { count: number; error: number }>>();
  for (const summary of summaries) {
    for (const { endpoint, identifier, count, error } of summary.entries) {
      let ofEndpoint = merged.get(endpoint);
      if (ofEndpoint === undefined) {
        ofEndpoint = new Map();
        merged.set(endpoint, ofEndpoint);
      }
      let sum = ofEndpoint.get(identifier);
      if (sum === undefined) {
        sum = { count: floor, error: floor };
        ofEndpoint.set(identifier, sum);
      }
      sum.count += count - summary.floor;
      sum.error += error - summary.floor;
    }
  }
  const entries: TopEntry[] = [];
  for (const [endpoint, ofEndpoint] of merged) {
    for (const [identifier, { count, error }] of ofEndpoint) {
      entries.push({ endpoint, identifier, count, error });
    }
  }
  entries.sort((a, b) => b.count - a.count || a.error - b.error);
  return { entries, floor };
}

/** The first `size` entries; the floor rises to what the first that is left out has. */
export function cutSummary({ entries, floor }: TopSummary, size: number): TopSummary {
  return { entries: entries.slice(0, size), floor: Math.max(floor, entries[size]?.count ?? 0) };
}
