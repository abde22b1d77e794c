import { ConnectError } from '@connectrpc/connect';
import type { Status } from '../../gen/google/rpc/status_pb.ts';

/** A google.rpc.Status as the error that a call with this outcome would have failed with. */
export function statusError(status: Status): ConnectError {
  const error = new ConnectError(status.message, status.code);
  error.isWireError = true;
  error.details = statusDetails(status);
  return error;
}

/** The details of a status, as ConnectError holds those that came over the wire. */
export function statusDetails(status: Status): ConnectError['details'] {
  return status.details.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1),
    value,
  }));
}
