import type { ClusterOptions, RedisOptions } from 'ioredis';
import type { RedisTarget } from './redis-target.ts';

/** Silence on a socket with commands under way, and waiting for a connection, end after this: then a new one. */
const SOCKET_TIMEOUT_MS = 1_000;
const RECONNECT_MS = 100;
/** Topology changes are mostly learnt from what fails or is moved; this is for the rest. */
const SLOTS_REFRESH_MS = 5_000;

/** While Redis stays away: a process has several connections, and each try costs as much as some checks. */
const LONGEST_RECONNECT_MS = 300;

/** With jitter, so that the processes of a fleet do not all come back in the same millisecond. */
function reconnectDelay(times: number): number {
  const delay = Math.min(RECONNECT_MS * times, LONGEST_RECONNECT_MS);
  return delay / 2 + (Math.random() * delay) / 2;
}

/**
 * Options of a connection to the server of a target, or to its master where sentinels tell which that is. It reconnects
 * for ever, and never queues or repeats a command. In a cluster they are those of one node, whose address is to be
 * added.
 */
export function redisOptions(target: RedisTarget, name: string) {
  return {
    ...commonOptions(target, name),
    ...(target.sentinel === undefined ? target.nodes[0] : sentinelOptions(target, target.sentinel)),
    db: target.database,
    enableOfflineQueue: false,
    retryStrategy: reconnectDelay,
  } satisfies RedisOptions;
}

/**
 * Options of a client of a whole cluster, which finds the nodes from some of them. It sends a command again only where
 * a node refused it (MOVED, ASK, TRYAGAIN, CLUSTERDOWN), never one that may have run. Only masters are asked.
 */
export function clusterOptions(target: RedisTarget, name: string) {
  return {
    redisOptions: commonOptions(target, name),
    enableOfflineQueue: false,
    scaleReads: 'master' as const,
    clusterRetryStrategy: reconnectDelay,
    clusterNodeRetryStrategy: reconnectDelay,
    // 0: no command is sent again because its connection was lost.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: RECONNECT_MS,
    retryDelayOnTryAgain: 10,
    slotsRefreshTimeout: SOCKET_TIMEOUT_MS,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    // Nodes are told apart by the names that they announce, which their certificates are for.
    dnsLookup: (address, callback) => callback(null, address),
  } satisfies ClusterOptions;
}

function commonOptions({ username, password, tls }: RedisTarget, name: string) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    connectionName: name,
    // Nothing here needs RESP3 or CLIENT SETINFO; without them older servers get no command they do not know.
    protocol: 2 as const,
    disableClientInfo: true,
    // With the connection lost, all commands under way fail at once (0 retries), and none is sent again.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // Whoever subscribes does so at each `ready`. ioredis's own subscribing anew handles no failure, so that a connection
    // lost just then would end the process by an unhandled rejection.
    autoResubscribe: false,
    connectTimeout: SOCKET_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    disconnectTimeout: RECONNECT_MS,
    maxLoadingRetryTime: RECONNECT_MS,
    // A replica (after a failover) or a server still loading: the address may lead to a better one next time.
    reconnectOnError: (error) => /^(READONLY|LOADING)\b/.test(error.message),
  } satisfies RedisOptions;
}

type Sentinel = NonNullable<RedisTarget['sentinel']>;

function sentinelOptions({ nodes, tls }: RedisTarget, { master, password }: Sentinel) {
  return {
    sentinels: nodes.map((node) => ({ ...node })),
    name: master,
    role: 'master' as const,
    ...(password === undefined ? {} : { sentinelPassword: password }),
    ...(tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: tls }),
    sentinelCommandTimeout: SOCKET_TIMEOUT_MS,
    sentinelRetryStrategy: reconnectDelay,
    // Not ioredis's failoverDetector: it can end a client for good that is just looking for the new master, and writes
    // to stderr whatever sentinel is away. Sentinels close the connections of a master that they demote,
    // up to ten seconds after a failover by hand; where that matters SentinelWatch looks by itself.
  } satisfies RedisOptions;
}
