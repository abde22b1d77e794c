import type { ConnectError, Transport } from '@connectrpc/connect';

/** The same transport; every error that a call begins or ends with is kept, too. Not those within a stream. */
export function keepingErrors(transport: Transport, errors: ConnectError[]): Transport {
  const keep = (error: ConnectError): never => {
    errors.push(error);
    throw error;
  };
  return {
    unary: (...call) => transport.unary(...call).catch(keep),
    stream: (...call) => transport.stream(...call).catch(keep),
  };
}
