import { Redis, type RedisOptions } from 'ioredis';

/** Silence on a socket with commands under way, and waiting for a connection, end after this: then a new one. */
const SOCKET_TIMEOUT_MS = 1_000;
const RECONNECT_MS = 100;

/**
 * Connects in the background and for good: it reconnects until disposed, and never queues or repeats a command.
 *
 * @param url `redis://` or `rediss://` (TLS), with optional user, password, port (6379) and database number (0).
 * @throws TypeError where the URL is none of that. The text does not repeat the URL, which may hold a password.
 */
export function connectRedis(url: string, name: string): Redis {
  return new Redis({
    ...addressOf(url),
    connectionName: name,
    // Nothing here needs RESP3 or CLIENT SETINFO; without them older servers get no command they do not know.
    protocol: 2,
    disableClientInfo: true,
    // A limiter's answer is worth nothing late. Without a connection a command fails at once; with the connection
    // lost, all commands under way fail at once (0 retries), and none is sent again: it might count twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: SOCKET_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    disconnectTimeout: RECONNECT_MS,
    maxLoadingRetryTime: RECONNECT_MS,
    // Some jitter, so that the processes of a fleet do not all come back in the same millisecond.
    retryStrategy: () => RECONNECT_MS / 2 + Math.random() * RECONNECT_MS,
    // A replica (after a failover) or a server still loading: the address may lead to a better one next time.
    reconnectOnError: (error) => /^(READONLY|LOADING)\b/.test(error.message),
  });
}

/** Closes for good and at once, also where the other side no longer reacts. */
export function closeRedis(client: Redis): void {
  client.disconnect();
  // disconnect() only ends the socket, and a hung server would keep it, and this process, for longer.
  client.stream?.destroy();
}

type Address = Pick<RedisOptions, 'host' | 'port' | 'db' | 'username' | 'password' | 'tls'>;

function addressOf(text: string): Address {
  const url = URL.parse(text);
  const database = url?.pathname.replace(/^\//, '') ?? '';
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === '' || !/^\d*$/.test(database)) {
    throw new TypeError('not a Redis URL: redis[s]://[user:password@]host[:port][/database]');
  }
  const options: Address = {
    // IPv6 addresses stand in brackets in URLs only.
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6379),
    db: Number(database),
  };
  if (url.username !== '') options.username = decodeURIComponent(url.username);
  if (url.password !== '') options.password = decodeURIComponent(url.password);
  if (url.protocol === 'rediss:') options.tls = {};
  return options;
}
