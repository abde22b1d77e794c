import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack, durationFromMs } from '@bufbuild/protobuf/wkt';
import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { RetryInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../../../gen/google/rpc/status_pb.ts';
import type { CallDenial } from './call-denial.ts';

/** A denial as grpc-js sends it: RetryInfo stands in a google.rpc.Status, in the trailer `grpc-status-details-bin`. */
export function grpcStatus({ code, message, headers, retryDelayMs }: CallDenial): StatusObject {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  if (retryDelayMs !== undefined) {
    const info = create(RetryInfoSchema, { retryDelay: durationFromMs(retryDelayMs) });
    const status = create(StatusSchema, { code, message, details: [anyPack(RetryInfoSchema, info)] });
    metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, status)));
  }
  return { code: code as number, details: message, metadata };
}
