import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { ConnectError } from '@connectrpc/connect';
import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { StatusSchema } from '../gen/google/rpc/status_pb.ts';
import { metadataFromHeaders } from './grpc-context.ts';

/**
 * An error as grpc-js sends it: code, message and, where there are details, the trailer `grpc-status-details-bin`
 * with a google.rpc.Status.
 */
export function grpcStatus(error: ConnectError, trailer: Metadata = new Metadata()): StatusObject {
  const metadata = metadataFromHeaders(error.metadata, trailer);
  if (error.details.length > 0) {
    const status = create(StatusSchema, {
      code: error.code,
      message: error.rawMessage,
      details: error.details.map((detail) =>
        'desc' in detail
          ? anyPack(detail.desc, create(detail.desc, detail.value))
          : { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value },
      ),
    });
    metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, status)));
  }
  return { code: error.code as number, details: error.rawMessage, metadata };
}
