import type { ChannelCredentials } from '@grpc/grpc-js';

/**
 * The same credentials, over whose connections an open call keeps no process alive. grpc-js references a connection's
 * socket with the first call on it, so that a stream that only waits would keep its process for ever.
 */
export function unreferencedSockets(credentials: ChannelCredentials): ChannelCredentials {
  const makeConnector = credentials._createSecureConnector.bind(credentials);
  credentials._createSecureConnector = (...args) => {
    const connector = makeConnector(...args);
    const connect = connector.connect.bind(connector);
    connector.connect = async (tcp) => {
      const connected = await connect(tcp);
      const { socket } = connected;
      socket.unref();
      socket.ref = () => socket;
      return connected;
    };
    return connector;
  };
  return credentials;
}
