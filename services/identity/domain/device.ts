import { type IpAddress, parseIpAddress } from './ip-address.ts';

/** The device that a call is made for, as the backend that faces the user knows it. Unknown parts are null. */
export interface Device {
  readonly id: string | null;
  readonly fingerprint: string | null;
  readonly name: string | null;
  readonly ipAddress: IpAddress | null;
  readonly userAgent: string | null;
}

/** A device as it comes from outside: an empty text means unknown. */
export type RawDevice = { readonly [Field in keyof Device]: string };

/** What is wrong with one part of a device. */
export interface DeviceProblem {
  readonly field: keyof Device;
  /** Continues a sentence that starts with the field's name. */
  readonly reason: string;
}

const MAX_BYTES = { id: 128, fingerprint: 256, name: 128, userAgent: 512 } as const;
/** Includes NUL, which PostgreSQL does not store, and line breaks, which would forge log lines. */
const FORBIDDEN = /[\p{Cc}\p{Cs}]/u;

/** Reads a device; tells everything that is wrong with it at once. */
export function parseDevice(
  raw: RawDevice,
):
  | { readonly ok: true; readonly value: Device }
  | { readonly ok: false; readonly problems: DeviceProblem[] } {
  const problems: DeviceProblem[] = [];
  const text = (field: keyof typeof MAX_BYTES): string | null => {
    const value = raw[field];
    if (Buffer.byteLength(value) > MAX_BYTES[field]) {
      problems.push({ field, reason: `must be at most ${MAX_BYTES[field]} bytes` });
    } else if (FORBIDDEN.test(value)) {
      problems.push({ field, reason: 'must not contain control characters' });
    }
    return value === '' ? null : value;
  };
  const address = raw.ipAddress === '' ? null : parseIpAddress(raw.ipAddress);
  if (address?.ok === false) problems.push({ field: 'ipAddress', reason: address.reason });
  const value: Device = {
    id: text('id'),
    fingerprint: text('fingerprint'),
    name: text('name'),
    ipAddress: address?.ok === true ? address.value : null,
    userAgent: text('userAgent'),
  };
  return problems.length === 0 ? { ok: true, value } : { ok: false, problems };
}
