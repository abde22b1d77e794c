import type { SimulationReport } from './simulation-report.ts';

const WIDTH = 960;
const HEIGHT = 320;
const LEFT = 64;
const RIGHT = 16;
const TOP = 56;
const BOTTOM = 40;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM;
/** Of middle lightness, so that each shows on white and on black, and apart from the others without their hue. */
const COLOURS = { allowed: '#6b9bd1', shadowDenied: '#d99a1c', denied: '#d6453d', text: '#808080' };
const LABELS = { allowed: 'allowed', shadowDenied: 'allowed, denied by a shadow limit', denied: 'denied' };

type Series = keyof typeof LABELS;

/** The timeline as stacked bars: an SVG file that needs nothing else, without a script or a font of its own. */
export function plotSvg(report: SimulationReport, name: string): string {
  const { timeline, total } = report;
  const { bucketSeconds, buckets } = timeline;
  const starts = buckets.map(({ start }) => Date.parse(start));
  const first = starts[0] ?? 0;
  const span = Math.max(1, (starts.at(-1) ?? 0) - first + bucketSeconds * 1000);
  const most = Math.max(1, ...buckets.map(({ allowed, denied }) => allowed + denied));
  const step = roundStep(most / 4);
  const top = Math.ceil(most / step) * step;
  const x = (ms: number) => LEFT + ((ms - first) / span) * PLOT_WIDTH;
  const y = (requests: number) => TOP + PLOT_HEIGHT - (requests / top) * PLOT_HEIGHT;

  const bars = buckets.map(({ start, allowed, denied, shadowDenied }, index) => {
    const left = x(starts[index] as number);
    const width = Math.max(0.5, (bucketSeconds * 1000 * PLOT_WIDTH) / span - 0.5);
    const stack: [Series, number][] = [
      ['allowed', allowed - shadowDenied],
      ['shadowDenied', shadowDenied],
      ['denied', denied],
    ];
    let below = 0;
    const rectangles = stack.map(([series, requests]) => {
      if (requests === 0) return '';
      const from = y(below);
      below += requests;
      const height = from - y(below);
      return `<rect x="${fixed(left)}" y="${fixed(y(below))}" width="${fixed(width)}" height="${fixed(height)}" fill="${COLOURS[series]}"/>`;
    });
    const said = `${start}: ${allowed} allowed (${shadowDenied} denied by a shadow limit), ${denied} denied`;
    return `<g><title>${said}</title>${rectangles.join('')}</g>`;
  });

  const lines: string[] = [];
  for (let requests = 0; requests <= top; requests += step) {
    const at = fixed(y(requests));
    lines.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}" stroke="${COLOURS.text}" stroke-opacity="0.35"/>`,
    );
    lines.push(label(LEFT - 8, y(requests) + 4, 'end', count(requests)));
  }
  const tickMs = 1000 * timeStep(span / 1000 / 6);
  for (let ms = Math.ceil(first / tickMs) * tickMs; buckets.length > 0 && ms < first + span; ms += tickMs) {
    lines.push(label(x(ms), HEIGHT - BOTTOM + 18, 'middle', timeText(ms, tickMs)));
  }

  const counts = {
    allowed: total.allowed - total.shadowDenied,
    shadowDenied: total.shadowDenied,
    denied: total.denied,
  };
  let legendAt = LEFT;
  const legend = (Object.keys(LABELS) as Series[]).map((series) => {
    const text = `${LABELS[series]}: ${count(counts[series])}`;
    const square = `<rect x="${legendAt}" y="33" width="10" height="10" fill="${COLOURS[series]}"/>`;
    const entry = square + label(legendAt + 16, 42, 'start', text);
    legendAt += 40 + text.length * 7;
    return entry;
  });

  const title = `${name}: requests per ${widthText(bucketSeconds)}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escapeXml(title)}</title>`,
    label(LEFT, 20, 'start', `${title} (UTC)`, 'font-size="14" font-weight="600"'),
    ...legend,
    ...lines,
    ...bars,
    '</svg>',
    '',
  ].join('\n');
}

function label(x: number, y: number, anchor: string, text: string, more = ''): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}" fill="${COLOURS.text}" ${more}>${escapeXml(text)}</text>`;
}

/** The next of 1, 2 and 5 times a power of ten, and no less than 1. */
function roundStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  const step = [1, 2, 5, 10].find((each) => each * power >= value) ?? 10;
  return step * power;
}

function widthText(seconds: number): string {
  const units: [number, string][] = [
    [86_400, 'day'],
    [3_600, 'hour'],
    [60, 'minute'],
    [1, 'second'],
  ];
  const [size, unit] = units.find(([each]) => seconds % each === 0) as [number, string];
  return seconds === size ? unit : `${seconds / size} ${unit}s`;
}

/** The next of lengths that people divide time by, in seconds. */
function timeStep(seconds: number): number {
  const steps = [1, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400];
  return steps.find((each) => each >= seconds) ?? Math.ceil(seconds / 86_400) * 86_400;
}

/** No finer than the ticks. */
function timeText(ms: number, tickMs: number): string {
  const text = new Date(ms).toISOString().replace('T', ' ');
  if (tickMs >= 86_400_000) return text.slice(0, 10);
  return tickMs >= 60_000 ? text.slice(5, 16) : text.slice(11, 19);
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}

function fixed(number: number): string {
  return String(Number(number.toFixed(2)));
}

function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\x20-\uFFFD]/g, '\uFFFD')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}
