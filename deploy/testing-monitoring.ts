import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** A rule of deploy/prometheus/optix.rules.yml: one that records, or an alert. */
export interface MonitoringRule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A panel of a dashboard's JSON. */
export interface DashboardPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

/** A dashboard of deploy/grafana. */
export interface DashboardModel {
  readonly uid: string;
  readonly panels: readonly DashboardPanel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const PROMETHEUS = new URL('./prometheus/', import.meta.url);
const GRAFANA = new URL('./grafana/', import.meta.url);

/** The path of a file of deploy/prometheus. */
export function prometheusFile(name: string): string {
  return fileURLToPath(new URL(name, PROMETHEUS));
}

/** All rules, in their order. */
export function monitoringRules(): MonitoringRule[] {
  const { groups } = parse(readFileSync(prometheusFile('optix.rules.yml'), 'utf8')) as {
    groups: readonly { rules: readonly MonitoringRule[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

/** The dashboards by the names of their files. */
export function dashboards(): ReadonlyMap<string, DashboardModel> {
  const names = readdirSync(GRAFANA).filter((name) => name.endsWith('.json'));
  return new Map(names.map((name) => [name, JSON.parse(readFileSync(new URL(name, GRAFANA), 'utf8'))]));
}

/** The expressions of a dashboard, with a time for Grafana's own variable. */
export function dashboardExpressions({ panels, annotations }: DashboardModel): string[] {
  const targets = panels.flatMap(({ targets = [] }) => targets);
  return [...targets, ...annotations.list].map(({ expr }) => expr.replaceAll('$__rate_interval', '5m'));
}

/** The queries that docs/runbook.md shows. */
export function runbookExpressions(): string[] {
  const text = readFileSync(new URL('../docs/runbook.md', import.meta.url), 'utf8');
  return [...text.matchAll(/^```promql\n([\s\S]*?)^```$/gm)].map(([, expr = '']) => expr);
}
