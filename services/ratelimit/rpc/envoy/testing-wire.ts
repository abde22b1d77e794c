/** A message of protocol buffers as it is on the wire, field by field: https://protobuf.dev/programming-guides/encoding/ */
export function message(...fields: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}

/** A field that is a varint. */
export function number(field: number, value: bigint | number): Uint8Array {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

/** A field that has a length: a text, bytes or a message. */
export function part(field: number, content: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

/** A field as it came: a varint, or content with a length. */
export interface WireField {
  readonly field: number;
  readonly value: bigint | Buffer;
}

/** The fields of a message in the order in which they came. */
export function read(bytes: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const next = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError('the message ends in a varint');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(next());
    const length = tag % 8 === 2 ? Number(next()) : undefined;
    if (length === undefined && tag % 8 !== 0) throw new RangeError(`no wire type ${tag % 8} was expected`);
    const value = length === undefined ? next() : Buffer.from(bytes.subarray(at, at + length));
    at += length ?? 0;
    fields.push({ field: tag >> 3, value });
  }
  return fields;
}

function varint(value: bigint | number): Uint8Array {
  const bytes: number[] = [];
  let left = BigInt(value);
  do {
    bytes.push(Number(left & 0x7fn) | (left > 0x7fn ? 0x80 : 0));
    left >>= 7n;
  } while (left > 0n);
  return Uint8Array.from(bytes);
}
