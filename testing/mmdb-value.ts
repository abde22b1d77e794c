/** Numbers of the types that are written (MaxMind DB format 2.0, "Data Field Format"). */
const TYPES = {
  string: 2,
  double: 3,
  uint16: 5,
  uint32: 6,
  map: 7,
  uint64: 9,
  array: 11,
  boolean: 14,
} as const;
const UINT_BYTES = { uint16: 2, uint32: 4, uint64: 8 } as const;
/** Values below fit into the first byte of a field; those above take one, two or three bytes more. */
const SIZE_STEPS = [29, 285, 65_821] as const;

/** An unsigned integer with a type of its own. */
export interface MmdbUint {
  readonly uint: keyof typeof UINT_BYTES;
  readonly value: number;
}

export function mmdbUint(uint: MmdbUint['uint'], value: number): MmdbUint {
  return { uint, value };
}

/** Encodes a value: a whole number from 0 to 2^32 - 1 as uint32, any other number as double. */
export function encodeMmdbValue(value: unknown): Buffer {
  if (typeof value === 'string') return field('string', Buffer.from(value));
  if (typeof value === 'boolean') return control(TYPES.boolean, Number(value));
  if (typeof value === 'number') return encodeNumber(value);
  if (Array.isArray(value)) {
    return Buffer.concat([control(TYPES.array, value.length), ...value.map(encodeMmdbValue)]);
  }
  if (isUint(value)) return encodeUint(value);
  if (typeof value !== 'object' || value === null)
    throw new Error(`${typeof value} has no place in such a file`);
  const entries = Object.entries(value);
  return Buffer.concat([
    control(TYPES.map, entries.length),
    ...entries.flatMap(([key, item]) => [encodeMmdbValue(key), encodeMmdbValue(item)]),
  ]);
}

function encodeNumber(value: number): Buffer {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return encodeUint(mmdbUint('uint32', value));
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return field('double', bytes);
}

/** Leading zero bytes are left out, as MaxMind's own files do. */
function encodeUint({ uint, value }: MmdbUint): Buffer {
  const hex = value === 0 ? '' : value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  if (bytes.length > UINT_BYTES[uint]) throw new Error(`${value} is no ${uint}`);
  return field(uint, bytes);
}

function isUint(value: unknown): value is MmdbUint {
  return typeof value === 'object' && value !== null && 'uint' in value && 'value' in value;
}

function field(type: 'string' | 'double' | MmdbUint['uint'], payload: Buffer): Buffer {
  return Buffer.concat([control(TYPES[type], payload.length), payload]);
}

/** What a field begins with: its type and size. */
function control(type: number, size: number): Buffer {
  const extraBytes = SIZE_STEPS.filter((step) => size >= step).length;
  const extra = Buffer.alloc(extraBytes);
  if (extraBytes > 0) extra.writeUIntBE(size - (SIZE_STEPS[extraBytes - 1] as number), 0, extraBytes);
  const sizeBits = extraBytes === 0 ? size : 28 + extraBytes;
  // Types past 7 have a byte of their own.
  const head = type > 7 ? [sizeBits, type - 7] : [(type << 5) | sizeBits];
  return Buffer.concat([Buffer.from(head), extra]);
}
