import { Gauge } from 'prom-client';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { LOG_LEVELS } from './log-level.ts';

/** Tells what is logged: a level that somebody left at `debug` costs time and space. */
export function addLogLevelMetric({ registry }: Metrics, logger: Pick<Logger, 'level'>): void {
  new Gauge({
    name: 'optix_log_level',
    help: '1 for the level that is logged, 0 for the others.',
    labelNames: ['level'],
    registers: [registry],
    collect() {
      for (const level of LOG_LEVELS) this.set({ level }, level === logger.level ? 1 : 0);
    },
  });
}
