import { protoPath } from 'grpc-health-check';
import { foreignClient } from './foreign-client.ts';

/** What a grpc.health.v1 watcher was told, with the time of each change. */
export interface HealthWatch extends Disposable {
  readonly seen: readonly { readonly status: string; readonly atMs: number }[];
  /** The latest status. */
  last(): string | undefined;
}

/** Watches the health of one service or component, as a load balancer would. */
export function watchHealth(address: string, service: string): HealthWatch {
  const client = foreignClient(address, protoPath, ['grpc', 'health', 'v1', 'Health']);
  const seen: { status: string; atMs: number }[] = [];
  const stream = client['Watch']?.({ service }) as unknown as NodeJS.EventEmitter & { cancel(): void };
  stream.on('data', ({ status }: { status: string }) => seen.push({ status, atMs: performance.now() }));
  // A watcher's stream ends with an error when it is cancelled or its server goes away.
  stream.on('error', () => undefined);
  return {
    seen,
    last: () => seen.at(-1)?.status,
    [Symbol.dispose]() {
      stream.cancel();
      client.close();
    },
  };
}
