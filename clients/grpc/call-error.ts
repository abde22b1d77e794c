import { fromBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Metadata, ServiceError } from '@grpc/grpc-js';
import { StatusSchema } from '../../gen/google/rpc/status_pb.ts';
import { copyMetadata } from './metadata.ts';

/** The error of a call that its caller gave up. */
export function canceled(signal: AbortSignal): ConnectError {
  return ConnectError.from(signal.reason, Code.Canceled);
}

/** The caller's own cancellation where there was one, else the error that the server or grpc-js ended the call with. */
export function callError(error: Error | ServiceError, signal: AbortSignal | undefined): ConnectError {
  if (signal?.aborted === true) return canceled(signal);
  if (!('metadata' in error)) return ConnectError.from(error, Code.Internal);
  const result = new ConnectError(error.details, error.code as number);
  copyMetadata(error.metadata, result.metadata);
  result.isWireError = true;
  result.details = statusDetails(error.metadata);
  return result;
}

function statusDetails(metadata: Metadata): ConnectError['details'] {
  const [status] = metadata.get('grpc-status-details-bin');
  if (!(status instanceof Buffer)) return [];
  try {
    return fromBinary(StatusSchema, status).details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1),
      value,
    }));
  } catch {
    // This runs inside grpc-js, where a throw ends the process: a server whose details can't be read must not do that.
    // Code and message, which came apart from the details, hold all the same, and the metadata keeps the bytes.
    return [];
  }
}
