import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import { ScrapedGauges } from './scraped-gauges.ts';

/** Mails that are written and have not left yet. */
export interface MailBacklog {
  /** How many there are; at most 10,000 are counted. */
  readonly waiting: number;
  /** How long the oldest of them has waited, in milliseconds; 0 where none waits. */
  readonly oldestMs: number;
}

/** Tells how many mails wait, and for how long: of all replicas, as each of them tells it. */
export function addMailMetrics({
  metrics,
  readBacklog,
  onError,
}: {
  readonly metrics: Metrics;
  /** Asked at a scrape. */
  readonly readBacklog: () => Promise<MailBacklog>;
  /** Told where that fails or takes too long: the gauges are left out then. */
  readonly onError: (error: unknown) => void;
}): void {
  const gauges = new ScrapedGauges({ metrics, read: readBacklog, onError });
  gauges.add({
    name: 'optix_identity_mails_waiting',
    help: 'Mails that wait to be sent; 10,000 at most are counted.',
    valuesOf: ({ waiting }) => [[{}, waiting]],
  });
  gauges.add({
    name: 'optix_identity_mail_lag_seconds',
    help: 'How long the oldest mail that waits has waited.',
    valuesOf: ({ oldestMs }) => [[{}, oldestMs / 1000]],
  });
}
