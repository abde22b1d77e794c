import type {
  CallerReport,
  LimitReport,
  LogReport,
  SimulationReport,
  SuggestionReport,
} from './simulation-report.ts';

type TableText = (rows: readonly (readonly string[])[]) => string[];

/**
 * The report as tables, for people. Ends without a line break.
 *
 * @param terminalColumns where a table is wider, each of its rows is a block of `title  cell` lines instead
 */
export function reportText(
  report: SimulationReport,
  name: string,
  terminalColumns = Number.POSITIVE_INFINITY,
): string {
  const table: TableText = (rows) => tableLines(rows, terminalColumns);
  const { total, from, to, log, exact } = report;
  const lines = [`${name}: ${count(total.requests)} requests${from === null ? '' : `, ${from} to ${to}`}`];
  lines.push(...logNotes(log));
  if (!exact) {
    lines.push('More than 1,000,000 keys counted at one time: some callers had their limit back early.');
  }
  if (total.requests > 0) {
    lines.push('', ...endpointTable(report, table), '', ...limitTable(report, table));
    lines.push(...callerTable('Most denied', report.mostDenied, table));
    lines.push(...callerTable('Most denied by shadow limits', report.mostShadowDenied, table));
    lines.push(...suggestionTable(report, table));
  }
  return lines.join('\n');
}

/** What was left out of the log, one line each. */
function logNotes(log: LogReport): string[] {
  const notes: [number, string][] = [
    [
      log.unreadable.count,
      `could not be read: ${log.unreadable.first.map(({ line, reason }) => `${line} ${reason}`).join('; ')}`,
    ],
    [
      log.late.count,
      `came too long after newer ones and were left out (--reorder): ${log.late.firstLines.join(', ')}`,
    ],
    [log.withoutIdentifier, 'name nobody to count against (--by)'],
    [log.withoutEndpoint, 'belong to no endpoint of the map'],
    [log.withoutDuration, 'held a lease for its whole window: nobody knows how long they took (--duration)'],
  ];
  return notes
    .filter(([lines]) => lines > 0)
    .map(([lines, text]) => `${count(lines)} of ${count(log.lines)} lines ${text}`);
}

function endpointTable({ endpoints, total }: SimulationReport, table: TableText): string[] {
  const rows = endpoints.map((each) => [
    each.endpoint,
    each.rule,
    count(each.requests),
    count(each.allowed),
    withShare(each.denied, each.requests),
    withShare(each.shadowDenied, each.requests),
    count(each.bypassed),
    count(each.peakSecond.units),
    count(each.peakMinute.units),
  ]);
  const header = [
    'endpoint',
    'rule',
    'requests',
    'allowed',
    'denied',
    'shadow denied',
    'bypassed',
    'peak second',
    'peak minute',
  ];
  const notes: string[] = [];
  if (total.unlimited > 0) notes.push(`${count(total.unlimited)} of those allowed have no limit.`);
  if (total.refused > 0) {
    notes.push(`${count(total.refused)} requests cost more than their limit ever has, and are refused.`);
  }
  return [...table([header, ...rows]), ...notes];
}

function limitTable({ endpoints }: SimulationReport, table: TableText): string[] {
  const rows = endpoints.flatMap(({ endpoint, limits }) =>
    limits.map((limit) => [
      endpoint,
      limitName(limit),
      count(limit.requests),
      withShare(limit.denied, limit.requests),
      count(limit.peak.units),
      `${count(limit.callerPeak.units)} (${limit.callerPeak.identifier}, ${limit.callerPeak.at})`,
    ]),
  );
  if (rows.length === 0) return [];
  const header = ['endpoint', 'limit', 'asked', 'no room', 'peak of a window', 'of one caller'];
  return [...table([header, ...rows]), 'Windows of peaks begin at multiples of their length (UTC).'];
}

function callerTable(title: string, callers: readonly CallerReport[], table: TableText): string[] {
  if (callers.length === 0) return [];
  const rows = callers.map(({ endpoint, identifier, count: denied, error }) => [
    endpoint,
    identifier,
    error === 0 ? count(denied) : `${count(denied - error)} to ${count(denied)}`,
  ]);
  return ['', ...table([['endpoint', title.toLowerCase(), 'times'], ...rows])];
}

function suggestionTable({ endpoints }: SimulationReport, table: TableText): string[] {
  const rows: string[][] = [];
  let wanted: number | undefined;
  for (const { endpoint, limits } of endpoints) {
    for (const limit of limits) {
      const { suggestion } = limit;
      if (suggestion === null) continue;
      wanted = suggestion.deniedRatio;
      rows.push([endpoint, limitName(limit), ...suggestionCells(suggestion, limit)]);
    }
  }
  if (wanted === undefined) return [];
  const header = [
    'endpoint',
    'limit',
    `for ${percent(wanted)} denied`,
    'denies',
    'one less denies',
    'denies nothing',
  ];
  return ['', ...table([header, ...rows]), 'Each limit by itself, as if its rule had no other.'];
}

function suggestionCells(
  { suggested, below, withoutDenials }: SuggestionReport,
  limit: LimitReport,
): string[] {
  const units = (tried: typeof suggested) => {
    if (tried === null) return `none with ${limit.algorithm}`;
    return tried.burst === tried.limit
      ? count(tried.limit)
      : `${count(tried.limit)}, burst ${count(tried.burst)}`;
  };
  const denies = (tried: typeof suggested) => (tried === null ? '' : withShare(tried.denied, limit.requests));
  return [units(suggested), denies(suggested), denies(below), units(withoutDenials)];
}

function limitName({ name, override, algorithm, limit, burst, window, shadow }: LimitReport): string {
  const parts = [`${count(limit)} / ${window}`];
  if (burst !== limit) parts.push(`burst ${count(burst)}`);
  parts.push(algorithm);
  if (name !== '') parts.push(name);
  if (shadow) parts.push('shadow');
  if (override !== null) parts.push(`for ${override}`);
  return parts.join(' ');
}

/** Columns two blanks apart; those of numbers to the right. */
function tableLines(rows: readonly (readonly string[])[], terminalColumns: number): string[] {
  const [header = [], ...body] = rows;
  const widths = header.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const total = widths.reduce((sum, width) => sum + width + 2, -2);
  if (total > terminalColumns) {
    const titleWidth = Math.max(...header.map((title) => title.length));
    const blocks = body.map((row) =>
      header.map((title, column) => `${title.padEnd(titleWidth)}  ${row[column] ?? ''}`.trimEnd()),
    );
    return blocks.flatMap((block, index) => (index === 0 ? block : ['', ...block]));
  }
  const isNumeric = header.map((_, column) =>
    body.every((row) => /^\d[\d,]*( \(.*%\))?$|^$/.test(row[column] ?? '')),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return isNumeric[column] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

function withShare(part: number, all: number): string {
  return part === 0 || all === 0 ? count(part) : `${count(part)} (${percent(part / all)})`;
}

function percent(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(3))}%`;
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}
