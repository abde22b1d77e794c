const UNIT_SECONDS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1 };

const FORM = /^(?=\d)(?:\d{1,9}d)?(?:\d{1,9}h)?(?:\d{1,9}m)?(?:\d{1,9}s)?$/;

/** What {@link parseMaxAge} asks for; continues a sentence that starts with the field's name. */
export const MAX_AGE_FORM = 'must be a time of at least 1s, such as 15m or 1h30m (units d, h, m, s)';

/** `1h30m` in seconds; undefined for a text that is no such time, and for none at all (`0s`). */
export function parseMaxAge(text: string): number | undefined {
  if (!FORM.test(text)) return undefined;
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([a-z])/g)) {
    seconds += Number(count) * (UNIT_SECONDS[unit as string] as number);
  }
  return seconds > 0 ? seconds : undefined;
}
