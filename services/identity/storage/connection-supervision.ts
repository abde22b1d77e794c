import type { Client, Pool, PoolClient } from 'pg';

/** A connection that rested longer than this is asked whether it is still there before it is handed out. */
const TRUSTED_REST_MS = 5000;
/** How long it may take to answer that. */
const PING_TIMEOUT_MS = 1000;

/** What pg's client has and its types leave out. */
interface ClientInternals {
  readonly connection: { readonly stream: { destroy(): void } };
}

/**
 * Makes a pool hand out live connections only, and get back every place that a dead one took.
 *
 * pg-pool itself drops connections that are closed while they rest. The rest is done here:
 * - connections that died without a word, behind a firewall or with their machine, are found by a ping after a rest;
 * - a query whose answer does not come in time leaves its connection blocked: it is closed;
 * - a connection that the server is about to close (a FATAL error) is not put back;
 * - a connection whose BEGIN or ROLLBACK fails is never released by Kysely 0.29, so each loss of the server under load
 *   would cost places for good: it is closed, and released when it ends.
 */
export function superviseConnections(pool: Pool, onLost?: (error: Error) => void): void {
  const restingSince = new WeakMap<PoolClient, number>();
  const broken = new WeakSet<PoolClient>();
  /** Connections that were handed out, and how each is given back. One that rests must not be: the pool throws at that. */
  const handedOut = new WeakMap<PoolClient, () => void>();

  pool.on('error', (error) => onLost?.(error));
  pool.on('connect', (client) => {
    watchQueries(client, () => broken.add(client));
    client.once('end', () => {
      broken.add(client);
      handedOut.get(client)?.();
    });
  });

  const connect = pool.connect.bind(pool);
  const connectLive = async (): Promise<PoolClient> => {
    for (;;) {
      const client = await connect();
      const release = once(client.release.bind(client));
      client.release = (error) => {
        handedOut.delete(client);
        restingSince.set(client, performance.now());
        release(error ?? broken.has(client));
      };
      handedOut.set(client, client.release);
      const since = restingSince.get(client);
      const isTrusted = since === undefined || performance.now() - since < TRUSTED_REST_MS;
      if (isTrusted || (await answers(client))) return client;
      client.release(true);
    }
  };
  // Kysely, which is what checks connections out, uses the form that gives a promise.
  pool.connect = connectLive as typeof pool.connect;
}

async function answers(client: PoolClient): Promise<boolean> {
  try {
    await client.query({ text: 'select 1', query_timeout: PING_TIMEOUT_MS } as { text: string });
    return true;
  } catch {
    // Whatever the reason, the answer is no: the connection is replaced.
    return false;
  }
}

/** Closes the connection after errors that leave it of no use, and tells of them. */
function watchQueries(client: Client, onBroken: () => void): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  const watched = (...args: unknown[]): unknown => {
    const result = query(...args);
    if (!(result instanceof Promise)) return result;
    return result.catch((error: Error & { severity?: string }) => {
      const isUnanswered = error.message === 'Query read timeout';
      if (isUnanswered || error.severity === 'FATAL' || isTransactionBorder(args[0])) {
        onBroken();
        (client as unknown as ClientInternals).connection.stream.destroy();
      }
      throw error;
    });
  };
  client.query = watched as typeof client.query;
}

function isTransactionBorder(statement: unknown): boolean {
  return typeof statement === 'string' && /^(?:begin|start transaction|rollback)\b(?! to)/i.test(statement);
}

/** The pool throws at a second release; here both the connection's end and its user may release it. */
function once<T>(call: (argument: T) => void): (argument: T) => void {
  let called = false;
  return (argument) => {
    if (called) return;
    called = true;
    call(argument);
  };
}
