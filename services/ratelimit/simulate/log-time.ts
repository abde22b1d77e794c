const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const CLF =
  /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))? ([+-]\d{2}:?\d{2})$/;
const ISO =
  /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))? ?(Z|[+-]\d{2}(?::?\d{2})?)?$/i;
const EPOCH = /^(\d{1,19})(?:\.(\d{1,9}))?$/;

/**
 * Reads a time stamp as integer µs since the epoch; NaN for anything else. Finer digits are dropped.
 *
 * - `17/May/2015:10:05:03 +0200`, as Apache and nginx write it, with or without fractions;
 * - ISO 8601 (RFC 3339): `2015-05-17T08:05:03.250Z`; without a zone it is UTC;
 * - a number since the epoch, in s (up to 11 digits), ms (up to 14), µs (up to 17) or ns, with or without fractions.
 *
 * A leap second, 23:59:60 UTC, is the second after 23:59:59, as in POSIX time: that of midnight.
 */
export function parseLogTime(text: string): number {
  const clf = CLF.exec(text);
  if (clf !== null) {
    const [, day, month, year, hour, minute, second, fraction, zone] = clf;
    const date = [year, String(MONTHS.indexOf(month as string) + 1), day];
    return microsOf(date, [hour, minute, second], fraction, zone);
  }
  const iso = ISO.exec(text);
  if (iso !== null) {
    const [, year, month, day, hour, minute, second, fraction, zone] = iso;
    return microsOf([year, month, day], [hour, minute, second], fraction, zone);
  }
  const [, whole, fraction] = EPOCH.exec(text) ?? [];
  return whole === undefined ? Number.NaN : epochMicros(whole, fraction);
}

function epochMicros(whole: string, fraction = ''): number {
  const digits = whole.length;
  // How many decimals are between the unit and µs.
  const shift = digits <= 11 ? 6 : digits <= 14 ? 3 : digits <= 17 ? 0 : -3;
  if (shift < 0) return Number(whole.slice(0, shift));
  return Number(whole + fraction.slice(0, shift).padEnd(shift, '0'));
}

function microsOf(
  date: readonly (string | undefined)[],
  time: readonly (string | undefined)[],
  fraction = '',
  zone = 'Z',
): number {
  const [year = 0, month = 0, day = 0] = date.map(Number);
  const [hour = 0, minute = 0, second = 0] = time.map(Number);
  const midnight = new Date(Date.UTC(year, month - 1, day));
  // 31 February and month 13 would be days of the next month or year.
  if (month < 1 || month > 12 || midnight.getUTCDate() !== day || year < 1970) return Number.NaN;
  const offset = zoneMinutes(zone);
  const minutes = hour * 60 + minute - offset;
  const isLeap = second === 60 && (minutes + 1) % (24 * 60) === 0;
  if (hour > 23 || minute > 59 || (second > 59 && !isLeap) || Number.isNaN(offset)) return Number.NaN;
  const seconds = midnight.getTime() / 1000 + minutes * 60 + second;
  return seconds < 0 ? Number.NaN : seconds * 1_000_000 + Number(fraction.slice(0, 6).padEnd(6, '0'));
}

/** Minutes east of UTC; NaN for what is no zone. */
function zoneMinutes(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 23 || minutes > 59) return Number.NaN;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}
