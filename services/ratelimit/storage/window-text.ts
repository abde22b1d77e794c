const UNIT_MICROS: Readonly<Record<string, number>> = {
  d: 86_400_000_000,
  h: 3_600_000_000,
  m: 60_000_000,
  s: 1_000_000,
  ms: 1_000,
  us: 1,
};

/** A length of time: whole numbers with the units d, h, m, s, ms and us, in that order, each at most once. */
export const WINDOW_TEXT =
  /^(?=\d)(?:\d{1,9}d)?(?:\d{1,9}h)?(?:\d{1,9}m)?(?:\d{1,9}s)?(?:\d{1,9}ms)?(?:\d{1,9}us)?$/;

/** `1h30m` as µs; NaN for a text that does not match {@link WINDOW_TEXT}. */
export function parseWindow(text: string): number {
  if (!WINDOW_TEXT.test(text)) return Number.NaN;
  let micros = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([a-z]+)/g)) {
    micros += Number(count) * (UNIT_MICROS[unit as string] as number);
  }
  return micros;
}

/** The shortest text that {@link parseWindow} reads as so many µs. */
export function formatWindow(micros: number): string {
  let rest = micros;
  let text = '';
  for (const [unit, size] of Object.entries(UNIT_MICROS)) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
