// Writes the dashboards of deploy/grafana: node scripts/grafana-dashboards.ts
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dashboardJson } from './grafana/dashboard.ts';
import { identityDashboard } from './grafana/identity-dashboard.ts';
import { ratelimitDashboard } from './grafana/ratelimit-dashboard.ts';

const DIRECTORY = fileURLToPath(new URL('../deploy/grafana/', import.meta.url));

/** The dashboards by the names of their files. */
export function grafanaDashboards(): ReadonlyMap<string, string> {
  const all = [identityDashboard, ratelimitDashboard];
  return new Map(
    all.map((each) => [`${each.uid}.json`, `${JSON.stringify(dashboardJson(each), null, 2)}\n`]),
  );
}

if (import.meta.main) {
  for (const [name, text] of grafanaDashboards()) writeFileSync(join(DIRECTORY, name), text);
}
