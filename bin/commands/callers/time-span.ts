import { type Duration, durationFromMs } from '@bufbuild/protobuf/wkt';
import { UsageError } from '../../usage.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `90s`, `30m`, `12h` or `90d`; undefined for no text. @throws UsageError naming the flag */
export function timeSpan(flag: string, text: string | undefined): Duration | undefined {
  if (text === undefined) return undefined;
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const ms = UNITS[unit];
  if (count === undefined || ms === undefined) {
    throw new UsageError(`callers: ${flag} must be a number of s, m, h or d, such as 12h`);
  }
  return durationFromMs(Number(count) * ms);
}
