import { type DescMessage, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf';
import { printableJson } from './printable.ts';

/**
 * A message of the contracts as scripts get it: protobuf's JSON, so that docs/api says what each field means. Fields
 * without presence are always there; 64-bit numbers are strings, times RFC 3339, lengths of time seconds as `60s`.
 */
export function messageJson<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonValue {
  return toJson(schema, message, { alwaysEmitImplicit: true });
}

/** Prints one JSON document, indented. */
export function printJson(value: JsonValue): void {
  console.log(printableJson(JSON.stringify(value, undefined, 2)));
}

/** Prints one JSON document on a line of its own, for what has no end. */
export function printJsonLine(value: JsonValue): void {
  console.log(printableJson(JSON.stringify(value)));
}
