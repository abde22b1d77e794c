import { fromBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Metadata, ServiceError } from '@grpc/grpc-js';
import { StatusSchema } from '../../gen/google/rpc/status_pb.ts';
import { copyMetadata } from './metadata.ts';
import { statusDetails } from './status-error.ts';

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
  result.details = detailsIn(error.metadata);
  return result;
}

function detailsIn(metadata: Metadata): ConnectError['details'] {
  const [status] = metadata.get('grpc-status-details-bin');
  if (!(status instanceof Buffer)) return [];
  try {
    return statusDetails(fromBinary(StatusSchema, status));
  } catch {
    // This runs inside grpc-js, where a throw ends the process: a server whose details can't be read must not do that.
    // Code and message, which came apart from the details, hold all the same, and the metadata keeps the bytes.
    return [];
  }
}
