import { expect, it } from 'vitest';
import { collectingLogger } from '../../testing/collecting-logger.ts';
import { Metrics } from '../metrics/metrics.ts';
import { addLogLevelMetric } from './log-level-metric.ts';

it('tells the level that is logged at the moment of the scrape', async () => {
  const metrics = new Metrics();
  const { logger } = collectingLogger();
  addLogLevelMetric(metrics, logger);
  for (const level of ['trace', 'warn', 'silent']) {
    logger.level = level;
    const told = (await metrics.registry.getSingleMetricAsString('optix_log_level')).match(/"(\w+)"\} 1$/gm);
    expect(told).toEqual([`"${level}"} 1`]);
  }
});
