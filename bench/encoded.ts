import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';

/** A request message as load plans hold it: its binary form in base64. */
export function encoded<D extends DescMessage>(schema: D, message: MessageInitShape<D>): string {
  return Buffer.from(toBinary(schema, create(schema, message))).toString('base64');
}
