/** What an expression reads: a metric, and the labels that it chooses, groups or joins it by. */
export interface MetricUse {
  readonly metric: string;
  readonly labels: ReadonlySet<string>;
  /** Values that it looks for: of `=` and of the alternatives of `=~`, where they are plain words. */
  readonly values: readonly (readonly [label: string, value: string])[];
}

/** Metrics that Prometheus makes itself, the recorded ones of the rules, and those of the services. */
const SELECTOR = /(?<![\w:$"])((?:optix|process|nodejs)_\w+|up|\w+:[\w:]+)\b(?!\s*\()(?:\{([^}]*)\})?/g;
const GROUPED = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;

/**
 * The metrics of a PromQL expression. Labels in `by` and `on` count for each metric of what they stand at: the
 * parenthesis that follows, or for `on` the whole expression.
 */
export function metricsIn(expr: string): MetricUse[] {
  const groups = [...expr.matchAll(GROUPED)].map(({ 0: text, 1: names = '', index }) => {
    const labels = names.split(',').map((name) => name.trim());
    const isAggregation = /^(by|without)/.test(text);
    const from = index + text.length;
    const to = isAggregation ? closing(expr, expr.indexOf('(', from)) : expr.length;
    return { labels: labels.filter(Boolean), from: isAggregation ? from : 0, to };
  });
  return [...expr.matchAll(SELECTOR)].map(({ 1: metric = '', 2: matchers = '', index }) => ({
    metric,
    values: [...matchers.matchAll(/(\w+)=~?"([\w|]+)"/g)].flatMap(([, label = '', values = '']) =>
      values.split('|').map((value) => [label, value] as const),
    ),
    labels: new Set([
      ...[...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label]) => label ?? ''),
      ...groups.filter(({ from, to }) => from <= index && index < to).flatMap(({ labels }) => labels),
    ]),
  }));
}

/** The place of the parenthesis that closes the one at `open`. */
function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '(') depth += 1;
    else if (text[at] === ')' && --depth === 0) return at;
  }
  throw new Error(`no parenthesis closes that at ${open} of ${text}`);
}
