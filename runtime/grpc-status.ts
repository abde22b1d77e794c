import { toBinary } from '@bufbuild/protobuf';
import type { ConnectError } from '@connectrpc/connect';
import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { StatusSchema } from '../gen/google/rpc/status_pb.ts';
import { metadataFromHeaders } from './grpc-context.ts';
import { rpcStatus } from './rpc-status.ts';

/**
 * An error as grpc-js sends it: code, message and, where there are details, the trailer `grpc-status-details-bin`
 * with a google.rpc.Status.
 */
export function grpcStatus(error: ConnectError, trailer: Metadata = new Metadata()): StatusObject {
  const metadata = metadataFromHeaders(error.metadata, trailer);
  if (error.details.length > 0) {
    metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, rpcStatus(error))));
  }
  return { code: error.code as number, details: error.rawMessage, metadata };
}
