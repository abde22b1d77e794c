const CONTEXT = 3;
/** Beyond so many changes everything between the first and the last one stands as replaced. */
const MAX_CHANGES = 1_000;

interface Line {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** The difference of two texts in the unified format of diff, without the names of files; empty where there is none. */
export function unifiedDiff(before: string, after: string): string {
  const lines = lineDiff(linesOf(before), linesOf(after));
  const changed = lines.flatMap(({ sign }, index) => (sign === ' ' ? [] : [index]));
  const hunks: string[] = [];
  for (let first = 0; first < changed.length; ) {
    let last = first;
    while ((changed[last + 1] ?? Infinity) - (changed[last] ?? 0) <= 2 * CONTEXT) last += 1;
    const start = Math.max(0, (changed[first] ?? 0) - CONTEXT);
    hunks.push(hunkText(lines, start, Math.min(lines.length, (changed[last] ?? 0) + CONTEXT + 1)));
    first = last + 1;
  }
  return hunks.join('\n');
}

function hunkText(lines: readonly Line[], start: number, end: number): string {
  const range = (other: '-' | '+') => {
    const mine = ({ sign }: Line) => sign !== other;
    const count = lines.slice(start, end).filter(mine).length;
    const from = lines.slice(0, start).filter(mine).length;
    // An empty range names the line before it.
    return `${count === 0 ? from : from + 1},${count}`;
  };
  const body = lines.slice(start, end).map(({ sign, text }) => `${sign}${text}`);
  return [`@@ -${range('+')} +${range('-')} @@`, ...body].join('\n');
}

function lineDiff(before: readonly string[], after: readonly string[]): Line[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  const most = Math.min(before.length, after.length) - head;
  while (tail < most && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  return [
    ...signed(' ', before.slice(0, head)),
    ...middleDiff(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...signed(' ', before.slice(before.length - tail)),
  ];
}

/** The shortest edit by Myers' greedy algorithm (1986): `furthest[k]` is the furthest x on the diagonal x - y = k. */
function middleDiff(before: readonly string[], after: readonly string[]): Line[] {
  const trace: Map<number, number>[] = [];
  let furthest = new Map([[1, 0]]);
  for (let changes = 0; changes <= Math.min(MAX_CHANGES, before.length + after.length); changes += 1) {
    trace.push(furthest);
    const next = new Map(furthest);
    for (let k = -changes; k <= changes; k += 2) {
      let x = step(furthest, k, changes);
      while (x < before.length && x - k < after.length && before[x] === after[x - k]) x += 1;
      next.set(k, x);
      if (x >= before.length && x - k >= after.length) return walkBack(trace, before, after);
    }
    furthest = next;
  }
  return [...signed('-', before), ...signed('+', after)];
}

function walkBack(
  trace: readonly Map<number, number>[],
  before: readonly string[],
  after: readonly string[],
): Line[] {
  const lines: Line[] = [];
  let x = before.length;
  let y = after.length;
  for (let changes = trace.length - 1; changes >= 0; changes -= 1) {
    const furthest = trace[changes] as Map<number, number>;
    const k = x - y;
    const from = isInsertion(furthest, k, changes) ? k + 1 : k - 1;
    const fromX = changes === 0 ? 0 : (furthest.get(from) as number);
    const fromY = changes === 0 ? 0 : fromX - from;
    for (; x > fromX && y > fromY; x -= 1, y -= 1) lines.push({ sign: ' ', text: before[x - 1] as string });
    if (changes > 0) {
      if (x === fromX) lines.push({ sign: '+', text: after[y - 1] as string });
      else lines.push({ sign: '-', text: before[x - 1] as string });
    }
    x = fromX;
    y = fromY;
  }
  return lines.reverse();
}

function step(furthest: ReadonlyMap<number, number>, k: number, changes: number): number {
  return isInsertion(furthest, k, changes) ? (furthest.get(k + 1) ?? 0) : (furthest.get(k - 1) ?? 0) + 1;
}

function isInsertion(furthest: ReadonlyMap<number, number>, k: number, changes: number): boolean {
  return k === -changes || (k !== changes && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

function signed(sign: Line['sign'], texts: readonly string[]): Line[] {
  return texts.map((text) => ({ sign, text }));
}
