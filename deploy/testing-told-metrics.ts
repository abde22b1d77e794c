/** Samples of a family of metrics end in these, by its type. */
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

/** Which metrics there are, with their labels and the values of these, as /metrics tells them. */
export class ToldMetrics {
  readonly #docs: string;
  /** By metric and label. */
  readonly #values = new Map<string, Map<string, Set<string>>>();
  readonly #everywhere = new Map<string, Set<string>>();

  /**
   * @param docs docs/metrics.md: labels, and what it names between backquotes as their values, of metrics without a sample
   *   before something has gone wrong
   */
  constructor(docs: string) {
    this.#docs = docs;
  }

  /** Takes in what /metrics answered, in the text format of Prometheus. */
  read(text: string): void {
    for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
      for (const suffix of SUFFIXES[type] ?? ['']) {
        const sample = name + suffix;
        if (!this.#values.has(sample)) this.#values.set(sample, this.#documented(name, suffix));
      }
    }
    for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
      const known = this.#values.get(name);
      for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
        known?.set(label, (known.get(label) ?? new Set()).add(value));
      }
    }
  }

  /** A value that a label may have, whatever the metric. */
  knows(label: string, value: string): void {
    this.#everywhere.set(label, (this.#everywhere.get(label) ?? new Set()).add(value));
  }

  /** Undefined where there is no such metric. */
  labelsOf(metric: string): ReadonlySet<string> | undefined {
    const known = this.#values.get(metric);
    return known && new Set(known.keys());
  }

  isValue(metric: string, label: string, value: string): boolean {
    return [this.#values.get(metric)?.get(label), this.#everywhere.get(label)].some((known) =>
      known?.has(value),
    );
  }

  #documented(name: string, suffix: string): Map<string, Set<string>> {
    const row = new RegExp(`^\\| \`${name}\` \\| \\w+ \\| ([^|]*)\\| (.*)`, 'm').exec(this.#docs);
    const words = (text = '') => [...text.matchAll(/`(\w+)`/g)].map(([, word]) => word ?? '');
    const values = words(row?.[2]);
    const labels = new Map(words(row?.[1]).map((label) => [label, new Set(values)]));
    if (suffix === '_bucket') labels.set('le', new Set());
    return labels;
  }
}
