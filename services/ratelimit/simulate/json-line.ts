import { parseLogTime } from './log-time.ts';
import { type LineReader, pathOf, readRequestLine } from './logged-request.ts';
import { type Sender, type Subject, senderIdentifier } from './subject.ts';

/** What is read of a JSON line. */
export type FieldName =
  | 'time'
  | 'ip'
  | 'user'
  | 'method'
  | 'path'
  | 'request'
  | 'cost'
  | 'roles'
  | 'duration';

/** Names in the log, of each field; the first that a line has counts. A dot goes into an object. */
export type FieldNames = Readonly<Record<FieldName, readonly string[]>>;

/** What nginx, Caddy, Traefik, Envoy and common loggers call these. */
export const USUAL_FIELD_NAMES: FieldNames = {
  time: [
    'time',
    'timestamp',
    '@timestamp',
    'ts',
    'time_iso8601',
    'msec',
    'time_local',
    'start_time',
    'StartUTC',
  ],
  ip: ['ip', 'remote_addr', 'client_ip', 'remote_ip', 'request.client_ip', 'request.remote_ip', 'ClientHost'],
  user: ['user', 'user_id', 'remote_user', 'ClientUsername'],
  method: ['method', 'request_method', 'request.method', 'RequestMethod'],
  path: ['path', 'uri', 'request_uri', 'url', 'request.uri', 'RequestPath'],
  request: ['request'],
  cost: ['cost'],
  roles: ['roles'],
  duration: ['duration', 'request_time'],
};

/** Objects in which loggers put headers, and prefixes that they give them. */
const HEADER_OBJECTS = ['headers', 'request.headers', 'req.headers'];
const MAX_COST = 4_294_967_295;

/**
 * Reads `time=ts,ip=client.address`: names to be used instead of {@link USUAL_FIELD_NAMES}.
 *
 * @throws RangeError naming what can't be read
 */
export function readFieldNames(text: string): FieldNames {
  const given: Partial<Record<FieldName, readonly string[]>> = {};
  for (const pair of text.split(',')) {
    const [, field = '', name] = /^([a-z]+)=(.+)$/.exec(pair) ?? [];
    if (name === undefined || !Object.hasOwn(USUAL_FIELD_NAMES, field)) {
      const known = Object.keys(USUAL_FIELD_NAMES).join(', ');
      throw new RangeError(`${JSON.stringify(pair)} is not <field>=<name>, with a field of ${known}`);
    }
    given[field as FieldName] = [name];
  }
  return { ...USUAL_FIELD_NAMES, ...given };
}

/** Reads lines that are one JSON object each. */
export function jsonLineReader(subjects: readonly Subject[], names: FieldNames): LineReader {
  return (line) => {
    const data = parseObject(line);
    if (data === undefined) return 'is not a JSON object';
    const field = (name: FieldName) => textOf(find(data, names[name]));
    const time = field('time');
    if (time === undefined) return `has no time (${names.time.join(', ')})`;
    const timeMicros = parseLogTime(time);
    if (Number.isNaN(timeMicros)) return 'has a time that can not be read';
    const cost = Number(field('cost') ?? 1);
    if (!Number.isInteger(cost) || cost < 1 || cost > MAX_COST) return 'has a cost that is no whole number';
    const seconds = Number(field('duration') ?? Number.NaN);
    const target = field('path');
    const requestLine = target === undefined ? readRequestLine(field('request') ?? '') : undefined;
    const sender: Sender = {
      ip: field('ip'),
      user: field('user'),
      header: (name) => headerOf(data, name),
    };
    return {
      timeMicros,
      identifier: senderIdentifier(subjects, sender),
      method: requestLine?.method ?? field('method') ?? '',
      path: requestLine?.path ?? pathOf(target ?? ''),
      cost,
      roles: rolesOf(find(data, names.roles)),
      durationMicros: seconds >= 0 ? Math.round(seconds * 1_000_000) : undefined,
    };
  };
}

type JsonObject = Readonly<Record<string, unknown>>;

function parseObject(line: string): JsonObject | undefined {
  try {
    const data: unknown = JSON.parse(line);
    return isObject(data) ? data : undefined;
  } catch {
    return undefined;
  }
}

function isObject(data: unknown): data is JsonObject {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

/** The first of the names that is there and not null. */
function find(data: JsonObject, names: readonly string[]): unknown {
  for (const name of names) {
    const value = data[name] ?? (name.includes('.') ? within(data, name) : undefined);
    // A `request` that is an object has the parts of the request line.
    if (value !== undefined && value !== null && !isObject(value)) return value;
  }
  return undefined;
}

function within(data: JsonObject, path: string): unknown {
  let value: unknown = data;
  for (const step of path.split('.')) value = isObject(value) ? value[step] : undefined;
  return value;
}

/** Loggers write a header as a list of its values. */
function textOf(value: unknown): string | undefined {
  const single = Array.isArray(value) ? value[0] : value;
  return typeof single === 'string' || typeof single === 'number' ? String(single) : undefined;
}

function headerOf(data: JsonObject, name: string): string | undefined {
  const flat = textOf(data[`http_${name.replaceAll('-', '_')}`]);
  if (flat !== undefined) return flat;
  for (const path of HEADER_OBJECTS) {
    const headers = within(data, path);
    if (!isObject(headers)) continue;
    const key = Object.keys(headers).find((each) => each.toLowerCase() === name);
    if (key !== undefined) return textOf(headers[key]);
  }
  return undefined;
}

function rolesOf(value: unknown): readonly string[] {
  const list = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : [];
  return list.filter((role) => typeof role === 'string').map((role) => role.trim());
}
