import { Counter, Gauge } from 'prom-client';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import type { RevocationFeed } from '../domain/revocation-feed.ts';

/** Tells how far this replica is behind what was revoked. */
export function addRevocationMetrics({ registry }: Metrics, feed: Pick<RevocationFeed, 'figures'>): void {
  new Gauge({
    name: 'optix_identity_revocation_lag_seconds',
    help: 'How long ago the read of revocations began that was carried out last.',
    registers: [registry],
    collect() {
      this.set(feed.figures.lagMs / 1000);
    },
  });
  new Counter({
    name: 'optix_identity_revocation_read_failures_total',
    help: 'Reads of revocations that failed.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(feed.figures.failedReads);
    },
  });
}
