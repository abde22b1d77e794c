import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client';

/** How metrics are written. */
export type ExpositionFormat = 'prometheus' | 'openmetrics';

/** The media type of each format, as answers name it. */
export const CONTENT_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

type Family = MetricObjectWithValues<MetricValue<string> & { readonly metricName?: string }>;

/**
 * Writes all metrics of a registry in the text format of Prometheus (version 0.0.4) or in OpenMetrics 1.0. prom-client
 * can't write both of one registry: it renames the counters for good the first time that it writes OpenMetrics.
 */
export async function exposition(registry: Registry, format: ExpositionFormat): Promise<string> {
  // prom-client's types know nothing of `metricName`, which the samples of histograms and summaries have.
  const families = (await registry.getMetricsAsJSON()) as unknown as Family[];
  const text = families.map((family) => written(family, format)).join('');
  return format === 'openmetrics' ? `${text}# EOF\n` : text;
}

function written({ name, help, type, values }: Family, format: ExpositionFormat): string {
  const isOpenCounter = format === 'openmetrics' && String(type) === 'counter';
  // OpenMetrics: the samples of a counter end in _total, the name of its family does not.
  const family = isOpenCounter ? name.replace(/_total$/, '') : name;
  const lines = [`# HELP ${family} ${escaped(help, format)}`, `# TYPE ${family} ${type}`];
  for (const { metricName, labels, value } of values) {
    const sample = isOpenCounter ? `${family}_total` : (metricName ?? name);
    lines.push(`${sample}${labelText(labels)} ${numberText(value)}`);
  }
  return `${lines.join('\n')}\n`;
}

function labelText(labels: Partial<Record<string, string | number>>): string {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${escaped(String(value), 'openmetrics')}"`,
  );
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

/** In a HELP line of Prometheus' own format quotes stand for themselves. */
function escaped(text: string, format: ExpositionFormat): string {
  const plain = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return format === 'openmetrics' ? plain.replaceAll('"', '\\"') : plain;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
