import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { Device as DeviceMessage } from '../../../../gen/optix/identity/v1/session_pb.ts';
import { CALLER_KEY } from '../../domain/audit/log-security-event.ts';
import { type Device, parseDevice, type RawDevice } from '../../domain/device.ts';
import { accepted, type Parsed, rejected } from '../../domain/parsed.ts';
import type { Uuid } from '../../domain/uuid.ts';
import type { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';

/** Backends' types have their name and a dot before the rest; identity's own have no dot. */
const FOREIGN_TYPE = /^[a-z0-9_]+\.[a-z0-9_.]+$/;
const ANY_TYPE = /^[a-z0-9_.]{1,64}$/;
const MOST_TYPES = 20;
const MAX_METADATA_BYTES = 8 * 1024;
/** Messages take 100 levels of a message (protobuf), and JSON within one three of them for each of its own. */
const MAX_METADATA_DEPTH = 32;
/** Includes NUL, which PostgreSQL does not store, and line breaks, which would forge log lines. */
const FORBIDDEN = /[\p{Cc}\p{Cs}]/u;
const DEVICE_FIELDS: Readonly<Record<keyof RawDevice, string>> = {
  id: 'device.id',
  fingerprint: 'device.fingerprint',
  name: 'device.name',
  ipAddress: 'device.ip_address',
  userAgent: 'device.user_agent',
};

/** Reads the type of another backend's event. */
export function parseForeignType(text: string): Parsed<string> {
  const isGood = text.length >= 3 && text.length <= 64 && FOREIGN_TYPE.test(text);
  if (isGood) return accepted(text);
  return rejected(
    "must have 3 to 64 characters of a-z, 0-9, _ and ., beginning with a backend's name and a dot",
  );
}

/** Reads the types of a filter, each once; none is fine. */
export function parseTypes(texts: readonly string[]): Parsed<readonly string[]> {
  if (texts.length > MOST_TYPES) return rejected(`must have at most ${MOST_TYPES} entries`);
  if (!texts.every((text) => ANY_TYPE.test(text))) {
    return rejected('must be types of 1 to 64 characters of a-z, 0-9, _ and .');
  }
  return accepted([...new Set(texts)]);
}

/** Reads a text for people. */
export function parseNote(
  text: string,
  { minBytes, maxBytes }: { readonly minBytes: number; readonly maxBytes: number },
): Parsed<string> {
  const bytes = Buffer.byteLength(text);
  if (bytes < minBytes) return rejected('must not be empty');
  if (bytes > maxBytes) return rejected(`must have at most ${maxBytes} bytes`);
  return FORBIDDEN.test(text) ? rejected('must not contain control characters') : accepted(text);
}

/** Reads a UUID in any case; null where there is none. */
export function parseUuidOrNull(text: string): Parsed<Uuid | null> {
  return text === '' ? accepted(null) : parseUuid(text);
}

/** The device that an event is about. Unlike the one of a call it is nobody's where the request has none. */
export function takeEventDevice(fields: Fields, message: DeviceMessage | undefined): Device {
  const { id = '', fingerprint = '', name = '', ipAddress = '', userAgent = '' } = message ?? {};
  const parsed = parseDevice({ id, fingerprint, name, ipAddress, userAgent });
  if (parsed.ok) return parsed.value;
  for (const { field, reason } of parsed.problems) fields.add(DEVICE_FIELDS[field], reason);
  return undefined as never;
}

/** Reads an event's metadata: JSON that PostgreSQL keeps as it is. */
export function parseMetadata(metadata: JsonObject | undefined): Parsed<JsonObject> {
  if (metadata === undefined) return accepted({});
  if (Object.hasOwn(metadata, CALLER_KEY)) {
    return rejected(`must not have the key ${CALLER_KEY}, which tells who added the event`);
  }
  const fault = faultOf(metadata, 1);
  if (fault !== undefined) return rejected(fault);
  if (Buffer.byteLength(JSON.stringify(metadata)) > MAX_METADATA_BYTES) {
    return rejected(`must have at most ${MAX_METADATA_BYTES} bytes as JSON`);
  }
  return accepted(metadata);
}

/** Why a value can't be kept and be told to every client; undefined where it can. */
function faultOf(value: JsonValue, depth: number): string | undefined {
  if (typeof value === 'string') return textFault(value);
  // A Struct has numbers that JSON has not.
  if (typeof value === 'number' && !Number.isFinite(value)) return 'must not contain infinite numbers or NaN';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_METADATA_DEPTH) return `must not be nested more than ${MAX_METADATA_DEPTH} levels deep`;
  for (const [key, inner] of Object.entries(value)) {
    const fault = textFault(key) ?? faultOf(inner, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function textFault(text: string): string | undefined {
  if (text.includes('\0')) return 'must not contain the character U+0000';
  // JSON can spell them, and PostgreSQL and UTF-8 can't.
  return text.isWellFormed() ? undefined : 'must not contain halves of surrogate pairs';
}
