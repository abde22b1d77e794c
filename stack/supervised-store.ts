import { setTimeout as sleep } from 'node:timers/promises';

/** What PostgresServer and RedisServer have in common. */
interface Store {
  readonly port: number;
  readonly exited: Promise<string>;
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** A store that is started again, on its port and its data, when it ends by itself. */
export interface SupervisedStore<S extends Store> extends AsyncDisposable {
  /** The server as it was started first. Its URL and port hold for those that follow. */
  readonly first: S;
  /** Settles, saying why, when it can't be kept running. */
  readonly lost: Promise<string>;
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

const RESTARTS = 5;
const WITHIN_MS = 60_000;
const RETRY_MS = 200;

/**
 * Starts a store and keeps it running. A store that ends more than five times a minute is given up.
 *
 * @param start starts it on this port; 0 means a free one.
 * @throws what the first start throws.
 */
export async function superviseStore<S extends Store>(
  name: string,
  start: (port: number) => Promise<S>,
  say: (line: string) => void,
): Promise<SupervisedStore<S>> {
  const first = await start(0);
  let current = first;
  const stopping = new AbortController();

  const supervise = async (): Promise<string> => {
    const restarts: number[] = [];
    let how = await current.exited;
    while (!stopping.signal.aborted) {
      const now = performance.now();
      while (restarts[0] !== undefined && restarts[0] < now - WITHIN_MS) restarts.shift();
      if (restarts.length >= RESTARTS) return `${name} can't be kept running: ${how}`;
      restarts.push(now);
      say(`${name} ended (${firstLine(how)}); starting it again`);
      try {
        current = await start(first.port);
        if (!stopping.signal.aborted) say(`${name} is back`);
        how = await current.exited;
      } catch (error) {
        // Somebody's outgoing connection may have the port for a moment.
        how = (error as Error).message;
        await sleep(RETRY_MS);
      }
    }
    return how;
  };
  const lost = supervise();

  const stop = async () => {
    stopping.abort();
    // A restart may be under way: what it starts has to be stopped too.
    for (const settled = lost.then(() => true); ; ) {
      await current.stop();
      if (await Promise.race([settled, sleep(50, false)])) return;
    }
  };
  return { first, lost, stop, kill: (signal) => current.kill(signal), [Symbol.asyncDispose]: stop };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] as string;
}
