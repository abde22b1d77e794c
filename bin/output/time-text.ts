import { type Duration, type Timestamp, timestampDate, timestampMs } from '@bufbuild/protobuf/wkt';
import { formatWindow } from '../../services/ratelimit/storage/window-text.ts';

/** A length of time as in a rules file, `1h30m`; nothing where there is none. */
export function durationText(duration: Duration | undefined): string {
  if (duration === undefined) return '';
  return formatWindow(Number(duration.seconds) * 1_000_000 + Math.floor(duration.nanos / 1000)) || '0s';
}

/** What has to be waited for, rounded up: to whole seconds, below one to milliseconds. */
export function waitText(duration: Duration | undefined): string {
  if (duration === undefined) return '';
  return roundedUp(Number(duration.seconds) * 1000 + duration.nanos / 1_000_000);
}

/** How long until a time, by this machine's clock; `now` where it is over. */
export function untilText(time: Timestamp | undefined, nowMs: number): string {
  if (time === undefined) return '';
  const ms = timestampMs(time) - nowMs;
  return ms <= 0 ? 'now' : roundedUp(ms);
}

/** RFC 3339 in UTC, with milliseconds. */
export function timeText(time: Timestamp | undefined): string {
  return time === undefined ? '' : timestampDate(time).toISOString();
}

function roundedUp(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  return formatWindow(Math.ceil(ms / 1000) * 1_000_000);
}
