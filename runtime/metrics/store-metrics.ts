import { Gauge } from 'prom-client';
import type { StoreMonitor } from '../store-monitor.ts';
import type { Metrics } from './metrics.ts';

/** Tells which stores are there, as their monitors know it at the moment of the scrape. */
export function addStoreMetrics({ registry }: Metrics, monitors: readonly StoreMonitor[]): void {
  new Gauge({
    name: 'optix_store_up',
    help: '1 while the store answers its probe.',
    labelNames: ['store'],
    registers: [registry],
    collect() {
      for (const { name: store, status } of monitors) this.set({ store }, status.up ? 1 : 0);
    },
  });
  new Gauge({
    name: 'optix_store_probe_seconds',
    help: 'How long the last probe that was answered took.',
    labelNames: ['store'],
    registers: [registry],
    collect() {
      for (const { name: store, status } of monitors) {
        if (status.latencyMs !== undefined) this.set({ store }, status.latencyMs / 1000);
      }
    },
  });
}
