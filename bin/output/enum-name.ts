import type { DescEnum } from '@bufbuild/protobuf';

/** The name of an enum's value without its prefix, such as `TOKEN_BUCKET`; the number of one that is not known. */
export function enumName(schema: DescEnum, value: number): string {
  return schema.value[value]?.localName ?? String(value);
}
