import { type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { UsageError } from '../../usage.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const AGO = /^(\d{1,9})([smhd])$/;
/** RFC 3339, or its date alone: midnight in UTC. */
const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

/**
 * Reads a time: `24h` is as long ago, else RFC 3339 or a date.
 *
 * @throws UsageError naming the flag
 */
export function pointInTime(flag: string, text: string | undefined): Timestamp | undefined {
  if (text === undefined) return undefined;
  const [, count = '', unit = ''] = AGO.exec(text) ?? [];
  const ms = TIME.test(text) ? Date.parse(text) : Date.now() - Number(count) * (UNITS[unit] ?? Number.NaN);
  if (Number.isNaN(ms) || ms < 0) {
    throw new UsageError(`${flag} must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 24h`);
  }
  return timestampFromMs(ms);
}
