/** A panel, as far as one differs from another. */
export interface Panel {
  readonly title: string;
  /** What it shows and how to read it, where the title doesn't say. */
  readonly description?: string;
  /** A unit of Grafana's, for example `reqps`, `s`, `bytes`, `percentunit`, `short`. */
  readonly unit: string;
  /** Expressions, each with the name of its series. `$__rate_interval` is Grafana's. */
  readonly queries: readonly (readonly [expr: string, legend: string])[];
  /** Default: `timeseries`. */
  readonly kind?: 'timeseries' | 'stat' | 'table';
  /** Of 24 columns. Default: 8. */
  readonly width?: 4 | 6 | 8 | 12 | 24;
}

/** A row: panels under a heading that folds. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A dashboard before Grafana's own form. */
export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** A metric that this service alone has: its jobs and instances are those to choose from. */
  readonly ownMetric: string;
  readonly rows: readonly Row[];
}

/** What the variables of a dashboard choose. Each selector of a query begins with it. */
export const CHOSEN = 'job=~"$job",instance=~"$instance"';

const COLUMNS = 24;
const HEIGHTS = { timeseries: 8, stat: 4, table: 8 } as const;
const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

/** The JSON model of a dashboard, of Grafana 10 and newer. */
export function dashboardJson({ uid, title, description, ownMetric, rows }: Dashboard): object {
  return {
    uid,
    title,
    description,
    tags: ['optix'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    timezone: 'browser',
    templating: { list: variables(ownMetric) },
    annotations: { list: [restarts()] },
    links: [
      {
        type: 'dashboards',
        title: 'optix',
        tags: ['optix'],
        asDropdown: false,
        includeVars: false,
        keepTime: true,
      },
    ],
    panels: placed(rows),
  };
}

function variables(ownMetric: string): object[] {
  const query = (name: string, label: string, expr: string) => ({
    ...{ name, label, type: 'query', datasource: DATASOURCE },
    query: { query: expr, refId: name },
    ...{ definition: expr, refresh: 2, sort: 1, multi: true, includeAll: true, allValue: '.+' },
    current: { selected: true, text: ['All'], value: ['$__all'] },
  });
  return [
    { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', refresh: 1 },
    query('job', 'Job', `label_values(${ownMetric}, job)`),
    query('instance', 'Instance', `label_values(${ownMetric}{job=~"$job"}, instance)`),
  ];
}

/** A mark in each panel for a process that was started. */
function restarts(): object {
  return {
    ...{ name: 'Starts', enable: true, iconColor: 'light-blue', datasource: DATASOURCE },
    ...{ expr: `optix_start_time_seconds{${CHOSEN}} * 1000`, useValueForTime: true },
    ...{ titleFormat: 'Start', textFormat: '{{instance}}' },
  };
}

/** Panels from left to right, and below each other where a row of the grid is full. */
function placed(rows: readonly Row[]): object[] {
  const panels: object[] = [];
  let y = 0;
  const id = () => panels.length + 1;
  for (const { title, panels: own } of rows) {
    panels.push({
      id: id(),
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: [],
    });
    y += 1;
    let x = 0;
    let tallest = 0;
    for (const panel of own) {
      const { width = 8, kind = 'timeseries' } = panel;
      const h = HEIGHTS[kind];
      if (x + width > COLUMNS) {
        y += tallest;
        x = 0;
        tallest = 0;
      }
      panels.push(panelJson(panel, id(), { x, y, w: width, h }));
      x += width;
      tallest = Math.max(tallest, h);
    }
    y += tallest;
  }
  return panels;
}

function panelJson(
  { title, description, unit, queries, kind = 'timeseries' }: Panel,
  id: number,
  gridPos: object,
) {
  return {
    ...{ id, type: kind, title, gridPos, datasource: DATASOURCE },
    ...(description === undefined ? {} : { description }),
    fieldConfig: { defaults: { unit, ...LOOKS[kind].defaults }, overrides: [] },
    options: LOOKS[kind].options,
    ...(kind === 'table'
      ? { transformations: [{ id: 'organize', options: { excludeByName: { Time: true } } }] }
      : {}),
    targets: queries.map(([expr, legendFormat], index) => ({
      ...{ refId: String.fromCharCode(65 + index), datasource: DATASOURCE, expr, legendFormat },
      ...(kind === 'table' ? { instant: true, format: 'table' } : {}),
    })),
  };
}

const LOOKS = {
  timeseries: {
    defaults: { min: 0, custom: { drawStyle: 'line', fillOpacity: 8, lineWidth: 1, showPoints: 'never' } },
    options: {
      legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'], showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  },
  stat: {
    defaults: {},
    options: { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'value', graphMode: 'area' },
  },
  table: { defaults: {}, options: { showHeader: true, sortBy: [{ displayName: 'Value', desc: true }] } },
};
